#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// What a link or merge says of identifiers, or takes back.
struct LinkStatement {
  Sequence sequence = 0;
  bool taken_back = false;
  std::vector<std::string> names;
};
/// nullopt: the event is neither.
std::optional<LinkStatement> link_statement(const PastEvent& event);

/// Records that are one child's, and names of no record by which the child is known.
struct OneChild {
  std::vector<PersonKey> people;
  std::vector<std::string> names;
};
/// Joins whoever the newest link or merge that names both says to be the same; whether there was one. Of each
/// two that is decided by itself: what is taken back between one of them and a third says nothing of these.
Result<bool> join_linked(const std::vector<LinkStatement>& statements, const RowReads& rows,
                         const storage::SecretKey& index_key, OneChild& child);

/// The records that are one child, for whoever asks about one of them: each is joined by links and merges,
/// under whomever these are filed, that were not taken back. In an answer a record has a number, 1 is the one
/// that was asked about; the others are in the order in which they were first named.
class LinkedRecords {
 public:
  static constexpr std::size_t kRecordsMax = 16;
  static constexpr std::size_t kStatementsMax = 256;  // links and merges that are looked at
  static constexpr std::size_t kStatementNamesMax = 64;
  static constexpr std::size_t kNamesMax = 256;  // identifiers of one record
  static constexpr std::size_t kNamedMax = 8;    // entries that a remark names

  /// The record alone; `past` outlives it.
  LinkedRecords(const PastReader& past, PersonKey person)
      : past_(past), child_{{person}, {}}, conflicts_of_all_(0) {}

  /// Finds the others, from rows that the state has of every link: nothing of the ledger is searched.
  Result<void> find();

  const std::vector<PersonKey>& people() const { return child_.people; }
  /// 0: it is not of this child, or the child has one record alone.
  std::size_t number_of(const PersonKey& person) const;
  /// Whether the record was one of this child's when that entry was written.
  Result<bool> was_linked(const PersonKey& person, Sequence entry);

  /// One of the child's events, in whatever order.
  void take(const PastEvent& event);
  /// The records' numbers and the entries that say so; no number or name of anybody.
  void add_remark(std::string& text) const;

 private:
  struct Said {
    Sequence first = 0;   // link or merge that names the record
    Sequence newest = 0;  // likewise, and that stands
  };
  struct Search;

  Result<void> put_in_order();
  Result<OneChild> joined_before(Sequence entry) const;

  const PastReader& past_;
  OneChild child_;
  std::vector<LinkStatement> statements_;  // in order
  std::vector<Said> said_;                 // beside child_.people
  std::map<std::size_t, OneChild> then_;   // by how many statements there were
  bool more_ = false;                      // than are looked at
  bool kept_ = true;
  std::vector<Sequence> conflicts_;
  std::size_t conflicts_of_all_;
};

}  // namespace carehub::care
