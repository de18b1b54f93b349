#include "broker/care/linked_records.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "broker/base/fault.hpp"
#include "broker/care/links_fold.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

template <class List, class Item>
bool has(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}
template <class List, class Item>
void add_new(List& list, const Item& item) {
  if (!has(list, item)) list.push_back(item);
}

void add_part(std::string& text, const std::string& more) { text += (text.empty() ? "" : "; ") + more; }

/// Whom names of one statement are: a record, where there is one.
struct Named {
  std::vector<std::string> names;
  std::optional<PersonKey> person;
};

Result<std::optional<PersonKey>> whose(const std::string& name, const RowReads& rows,
                                       const storage::SecretKey& index_key) {
  auto person = person_linked(rows, core::identifier_hash(index_key, name));
  if (!person || *person) return person;
  return person_linked(rows, core::identifier_hash(index_key, core::without_issuer(name)));
}

/// False: it is there already, or has no record any more.
Result<bool> join(const Named& named, const RowReads& rows, OneChild& child) {
  if (!named.person) {
    const auto before = child.names.size();
    for (const auto& name : named.names) add_new(child.names, name);
    return child.names.size() > before;
  }
  if (has(child.people, *named.person)) return false;
  const auto record = person_record(rows, *named.person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return false;
  child.people.push_back(*named.person);
  // Rows may be a little old: were that record erased by now, its name leads to the one that came after it.
  for (const auto& name : named.names) add_new(child.names, name);
  return true;
}

}  // namespace

std::optional<LinkStatement> link_statement(const PastEvent& event) {
  if (event.event->identity_link() == nullptr && event.event->identity_merge() == nullptr)
    return std::nullopt;
  return LinkStatement{event.sequence, core::takes_back_a_link(*event.event),
                       core::linked_identifier_texts(*event.event)};
}

Result<bool> join_linked(const std::vector<LinkStatement>& statements, const RowReads& rows,
                         const storage::SecretKey& index_key, OneChild& child) {
  std::map<std::pair<std::string, std::string>, std::pair<Sequence, bool>> newest;  // one inside, one outside
  std::map<std::string, Named> outside;
  for (const auto& statement : statements) {
    std::vector<std::string> inside;
    std::vector<std::string> apart;
    for (const auto& name : statement.names) {
      const auto known_as = core::without_issuer(name);
      const auto person = whose(name, rows, index_key);
      if (!person) return tl::unexpected(person.error());
      const auto id = *person ? "person " + to_hex((*person)->bytes) : "name " + known_as;
      if (*person ? has(child.people, **person) : has(child.names, known_as)) {
        inside.push_back(id);
        continue;
      }
      apart.push_back(id);
      outside[id].person = *person;
      add_new(outside[id].names, name);
      if (!*person) add_new(outside[id].names, known_as);
    }
    const bool stands = !statement.taken_back || kFault == Fault::erases_what_was_taken_back;
    const std::pair<Sequence, bool> said{statement.sequence, stands};
    for (const auto& one : inside) {
      for (const auto& other : apart) {
        auto& to = newest[{one, other}];
        to = std::max(to, said);
      }
    }
  }
  bool joined = false;
  for (const auto& [pair, said] : newest) {
    if (!said.second || kFault == Fault::leaves_linked_records) continue;
    auto joins = join(outside.at(pair.second), rows, child);
    if (!joins) return joins;
    joined = joined || *joins;
  }
  return joined;
}

/// Gathers every link and merge between records that one ever joined, by the rows of whom they name.
struct LinkedRecords::Search {
  const PastReader& past;
  StoredRows rows = past.rows();
  std::vector<PersonKey> people = {};
  std::vector<KeyedHash> names = {};
  std::vector<LinkStatement> statements = {};
  std::set<Sequence> seen = {};
  bool more = false;

  Result<void> run() {
    std::size_t name = 0;
    for (std::size_t person = 0; person < people.size() || name < names.size();) {
      auto done = person < people.size() ? add_names(people[person++]) : add_statements(names[name++]);
      if (!done) return done;
    }
    std::ranges::sort(statements, {}, &LinkStatement::sequence);
    return {};
  }

  void add_name(const KeyedHash& name) {
    if (has(names, name)) return;
    if (names.size() >= kRecordsMax * kNamesMax) {
      more = true;
    } else {
      names.push_back(name);
    }
  }

  Result<void> add_names(const PersonKey& person) {
    const auto found = names_of(rows, person, kNamesMax + 1);
    if (!found) return tl::unexpected(found.error());
    more = more || found->size() > kNamesMax;
    for (const auto& name : *found) add_name(name);
    return {};
  }

  Result<void> add_statements(const KeyedHash& name) {
    const auto found = links_naming(rows, name, kStatementsMax + 1);
    if (!found) return tl::unexpected(found.error());
    for (const auto sequence : *found) {
      if (seen.contains(sequence)) continue;
      if (seen.size() >= kStatementsMax) {
        more = true;
        return {};
      }
      seen.insert(sequence);
      auto event = past.event_at(sequence);
      if (!event) return tl::unexpected(event.error());
      auto statement = *event ? link_statement(**event) : std::nullopt;
      if (!statement) continue;
      // A ledger may hold one from before the hub took no such long ones.
      if (statement->names.size() > kStatementNamesMax) {
        statement->names.resize(kStatementNamesMax);
        more = true;
      }
      for (const auto& each : statement->names) {
        if (auto added = add_named(each); !added) return added;
      }
      statements.push_back(std::move(*statement));
    }
    return {};
  }

  Result<void> add_named(const std::string& name) {
    const auto person = whose(name, rows, past.index_key());
    if (!person) return tl::unexpected(person.error());
    if (!*person) {
      add_name(core::identifier_hash(past.index_key(), name));
      add_name(core::identifier_hash(past.index_key(), core::without_issuer(name)));
    } else if (!has(people, **person)) {
      if (people.size() >= kRecordsMax) {
        more = true;
      } else {
        people.push_back(**person);
      }
    }
    return {};
  }
};

Result<void> LinkedRecords::find() {
  auto kept = links_kept(past_.rows());
  if (!kept) return tl::unexpected(kept.error());
  kept_ = *kept;
  Search search{past_};
  search.people = {child_.people.front()};
  if (auto done = search.run(); !done) return done;
  statements_ = std::move(search.statements);
  auto joined = joined_before(std::numeric_limits<Sequence>::max());
  if (!joined) return tl::unexpected(joined.error());
  child_ = std::move(*joined);
  more_ = search.more || child_.people.size() > kRecordsMax;
  if (auto done = put_in_order(); !done) return done;
  if (child_.people.size() > kRecordsMax) child_.people.resize(kRecordsMax);
  return {};
}

Result<OneChild> LinkedRecords::joined_before(Sequence entry) const {
  std::vector<LinkStatement> before;
  for (const auto& statement : statements_) {
    if (statement.sequence < entry) before.push_back(statement);
  }
  OneChild child{{child_.people.front()}, {}};
  for (bool more = true; more;) {
    auto joined = join_linked(before, past_.rows(), past_.index_key(), child);
    if (!joined) return tl::unexpected(joined.error());
    more = *joined;
  }
  return child;
}

/// A record keeps its number from page to page, whatever comes in.
Result<void> LinkedRecords::put_in_order() {
  std::map<PersonKey, Said> said;
  for (const auto& statement : statements_) {
    for (const auto& name : statement.names) {
      const auto person = whose(name, past_.rows(), past_.index_key());
      if (!person) return tl::unexpected(person.error());
      if (!*person) continue;
      auto& of = said[**person];
      if (of.first == 0) of.first = statement.sequence;
      if (!statement.taken_back) of.newest = statement.sequence;
    }
  }
  std::sort(child_.people.begin() + 1, child_.people.end(), [&](const auto& left, const auto& right) {
    return std::pair(said[left].first, left.bytes) < std::pair(said[right].first, right.bytes);
  });
  for (const auto& person : child_.people) said_.push_back(said[person]);
  return {};
}

std::size_t LinkedRecords::number_of(const PersonKey& person) const {
  const auto& people = child_.people;
  const auto found = std::ranges::find(people, person);
  return people.size() < 2 || found == people.end() ? 0
                                                    : static_cast<std::size_t>(found - people.begin()) + 1;
}

Result<bool> LinkedRecords::was_linked(const PersonKey& person, Sequence entry) {
  if (statements_.empty()) return person == child_.people.front();
  const auto behind = std::ranges::lower_bound(statements_, entry, {}, &LinkStatement::sequence);
  const auto count = static_cast<std::size_t>(behind - statements_.begin());
  auto known = then_.find(count);
  if (known == then_.end()) {
    auto joined = joined_before(entry);
    if (!joined) return tl::unexpected(joined.error());
    known = then_.emplace(count, std::move(*joined)).first;
  }
  return has(known->second.people, person);
}

void LinkedRecords::take(const PastEvent& event) {
  if (!has(event.marks, ledger::Mark::identity_conflict)) return;
  ++conflicts_of_all_;
  if (conflicts_.size() < kNamedMax) conflicts_.push_back(event.sequence);
}

void LinkedRecords::add_remark(std::string& text) const {
  for (std::size_t at = 1; at < child_.people.size(); ++at) {
    add_part(text, "record " + std::to_string(at + 1) + " is this child, too: entry " +
                       std::to_string(said_[at].newest) + " says so");
  }
  if (more_) {
    add_part(text, "more records may be this child: at most " + std::to_string(kRecordsMax) +
                       " are told, by at most " + std::to_string(kStatementsMax) + " links and merges");
  }
  if (!kept_)
    add_part(text, "links of before this version are not looked at: run carehub rebuild, and ask again");
  if (conflicts_.empty()) return;
  std::string entries;
  for (std::size_t i = 0; i < conflicts_.size(); ++i)
    entries += (i == 0 ? "" : ", ") + std::to_string(conflicts_[i]);
  if (conflicts_of_all_ > conflicts_.size())
    entries += " and " + std::to_string(conflicts_of_all_ - conflicts_.size()) + " more";
  add_part(text, "the identifiers in " + entries +
                     " belong to more than one record: what one holds that no link names is not told here");
}

}  // namespace carehub::care
