#include "broker/core/record_links.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kStatementsMax = 256;  // of one name
constexpr std::size_t kStatementNamesMax = 64;

}  // namespace

void RecordLinks::look_out_for(const std::vector<KeyedHash>& names) {
  if (too_many_) return;
  named_.insert(names.begin(), names.end());
  too_many_ = named_.size() >= kNamesMax;
  if (too_many_) named_ = {};
}

std::optional<RecordLinks::Statement> RecordLinks::statement_in(const event::Event& event,
                                                                Sequence sequence) {
  if (event.identity_link() == nullptr && event.identity_merge() == nullptr) return std::nullopt;
  Statement statement{sequence, !takes_back_a_link(event), linked_identifier_texts(event)};
  if (statement.names.size() > kStatementNamesMax) statement.names.resize(kStatementNamesMax);
  return statement;
}

Result<void> RecordLinks::add_earlier(const RecordedEvent& recorded,
                                      std::map<Sequence, Statement>& statements) const {
  for (const auto& name : recorded.new_names) {
    if (!too_many_ && !named_.contains(name)) continue;
    const auto found = context_.state.links_naming(name, kStatementsMax);
    if (!found) return tl::unexpected(found.error());
    for (const auto sequence : *found) {
      if (sequence >= recorded.sequence || statements.contains(sequence)) continue;
      const auto stored = context_.state.body(sequence);
      if (!stored) return tl::unexpected(stored.error());
      if (stored->bytes.empty()) continue;  // it has been erased
      const auto* entry = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data())->entry_as_EventEntry();
      if (entry == nullptr || entry->mends() != 0) continue;  // one is for one receiver alone
      const auto* event = entry->event_nested_root();
      if (event == nullptr) continue;
      if (auto statement = statement_in(*event, sequence))
        statements.emplace(sequence, std::move(*statement));
    }
  }
  return {};
}

Result<std::vector<PersonKey>> RecordLinks::records_of(const Statement& statement) const {
  std::vector<KeyedHash> names;
  for (const auto& name : statement.names) {
    names.push_back(identifier_hash(context_.index_key, name));
    if (const auto known_as = without_issuer(name); known_as != name)
      names.push_back(identifier_hash(context_.index_key, known_as));
  }
  const auto linked = context_.state.linked(names);
  if (!linked) return tl::unexpected(linked.error());
  std::vector<PersonKey> records;
  for (const auto& person : *linked) {
    if (person && std::ranges::find(records, *person) == records.end()) records.push_back(*person);
  }
  return records;
}

Result<std::map<std::pair<PersonKey, bool>, std::vector<PersonKey>>> RecordLinks::news_in(
    const std::map<Pair, Word>& newest) const {
  std::map<std::pair<PersonKey, bool>, std::vector<PersonKey>> news;
  std::optional<PersonKey> whose;
  std::vector<ChildFact> facts;  // of that one: the pairs of one record stand together
  for (const auto& [pair, word] : newest) {
    if (whose != pair.first) {
      auto read = context_.state.child_facts(pair.first);
      if (!read) return tl::unexpected(read.error());
      facts = std::move(*read);
      whose = pair.first;
    }
    const auto* known = link_known(facts, pair.second);
    const bool is_older = known == nullptr || known->entry <= word.said;
    if (is_older && (known == nullptr || (known->kind == ChildFactKind::linked) != word.stands))
      news[{pair.first, word.stands}].push_back(pair.second);
  }
  return news;
}

Result<void> RecordLinks::write(const PersonKey& person, bool stands, const std::vector<PersonKey>& others,
                                const RecordedEvent& recorded) {
  const auto record = context_.state.person(person);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return {};
  ledger::OperatorActionT action;
  action.action = stands ? kLinkAction : kUnlinkAction;
  action.by = kByHub;
  action.reason = "a link or merge names both";
  action.sequence = recorded.sequence;
  action.person = std::make_unique<ledger::Key>(to_ledger(person));
  for (const auto& other : others) action.others.push_back(to_ledger(other));
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  context_.journal.append({storage::EntryKind::operator_action, (*record)->key_id, std::move(body)},
                          recorded.appended_at);
  return {};
}

Result<void> RecordLinks::follow(const RecordedEvent& recorded) {
  std::map<Sequence, Statement> statements;
  if ((too_many_ || !named_.empty()) && kFault != Fault::follows_no_name_later) {
    if (auto added = add_earlier(recorded, statements); !added) return added;
  }
  if (auto own = statement_in(*recorded.event, recorded.sequence)) {
    std::vector<KeyedHash> names;
    for (const auto& name : own->names) names.push_back(identifier_hash(context_.index_key, name));
    look_out_for(names);
    statements.emplace(recorded.sequence, std::move(*own));
  }
  std::map<Pair, Word> newest;
  for (const auto& [sequence, statement] : statements) {
    const auto records = records_of(statement);
    if (!records) return tl::unexpected(records.error());
    for (const auto& one : *records) {
      for (const auto& other : *records) {
        if (one != other) newest[{one, other}] = {sequence, statement.stands};
      }
    }
  }
  const auto news = news_in(newest);
  if (!news) return tl::unexpected(news.error());
  for (const auto& [whose, others] : *news) {
    if (auto written = write(whose.first, whose.second, others, recorded); !written) return written;
  }
  return {};
}

}  // namespace carehub::core
