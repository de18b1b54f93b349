#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/core/deliveries.hpp"
#include "broker/core/disclosure.hpp"

namespace carehub::core {

/// Writes down which records are one child's as links and merges say it, once for each of the records under
/// that one's own key, so that what protects the child in one protects in all (KnownChild::linked). Of each
/// two the newest word that names both counts. What is named before it has a record is followed once it has.
class RecordLinks {
 public:
  explicit RecordLinks(const DeliveryContext& context) : context_(context) {}

  /// Names that links or merges have named so far; more than kNamesMax are not kept in memory, and every new
  /// name is looked up from then on.
  void look_out_for(const std::vector<KeyedHash>& names);
  static constexpr std::size_t kNamesMax = 1'000'000;

  /// What the event says, and what was said before of names that nobody had until it came. Its entries come
  /// right behind the event's, and count from that on. Error: the state could not be read.
  Result<void> follow(const RecordedEvent& recorded);

 private:
  struct Statement {
    Sequence sequence = 0;
    bool stands = false;
    std::vector<std::string> names;
  };
  struct Word {
    Sequence said = 0;
    bool stands = false;
  };
  using Pair = std::pair<PersonKey, PersonKey>;

  static std::optional<Statement> statement_in(const event::Event& event, Sequence sequence);
  Result<void> add_earlier(const RecordedEvent& recorded, std::map<Sequence, Statement>& statements) const;
  Result<std::vector<PersonKey>> records_of(const Statement& statement) const;
  /// Of each record the others that it is not known to be linked with, or apart from, as the words say.
  Result<std::map<std::pair<PersonKey, bool>, std::vector<PersonKey>>> news_in(
      const std::map<Pair, Word>& newest) const;
  Result<void> write(const PersonKey& person, bool stands, const std::vector<PersonKey>& others,
                     const RecordedEvent& recorded);

  DeliveryContext context_;
  std::unordered_set<KeyedHash> named_;
  bool too_many_ = false;  // for named_, which is empty then
};

}  // namespace carehub::core
