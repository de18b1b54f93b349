#include "broker/care/row_keys.hpp"

#include "broker/care/row_codec.hpp"
#include "broker/storage/state_store.hpp"

namespace carehub::care::row_keys {
namespace {

std::string start(char kind) { return {kind, '/'}; }

RowWriter named(char kind, std::string_view name) {
  RowWriter key(start(kind));
  key.text(name);
  return key;
}

}  // namespace

std::string person(const PersonKey& person) { return start('p').append(text_of(person.bytes)); }
std::string link(const KeyedHash& identifier) { return start('l').append(text_of(identifier.bytes)); }
std::string names_of(const PersonKey& person) { return start('u').append(text_of(person.bytes)); }
std::string name_of(const PersonKey& person, const KeyedHash& identifier) {
  return names_of(person).append(text_of(identifier.bytes));
}
std::string links_naming() { return start('h'); }
std::string links_naming(const KeyedHash& identifier) {
  return links_naming().append(text_of(identifier.bytes));
}
std::string link_naming(const KeyedHash& identifier, Sequence sequence) {
  return RowWriter(links_naming(identifier)).number(sequence).take();
}
std::string child_facts(const PersonKey& person) { return start('z').append(text_of(person.bytes)); }
std::string child_facts_kept() { return start('m').append("child_facts"); }
std::string links_kept() { return start('m'); }
std::string fingerprint(const Fingerprint& fingerprint) { return start('f').append(text_of(fingerprint)); }
std::string identity(const KeyedHash& identity) { return start('i').append(text_of(identity.bytes)); }
std::string reused_of(const KeyedHash& identity) { return start('j').append(text_of(identity.bytes)); }
std::string reused(const KeyedHash& identity, Sequence sequence) {
  return RowWriter(reused_of(identity)).number(sequence).take();
}

std::string pending_of(std::string_view subscription) { return named('q', subscription).take(); }
std::string pending(std::string_view subscription, Sequence sequence) {
  return named('q', subscription).number(sequence).take();
}

std::string gate_of(std::string_view subscription, const PersonKey& person) {
  return named('g', subscription).key(person).take();
}
std::string gate(std::string_view subscription, const PersonKey& person, Sequence sequence) {
  return named('g', subscription).key(person).number(sequence).take();
}

std::string dead_of(std::string_view subscription) { return named('d', subscription).take(); }
std::string dead(std::string_view subscription, Sequence sequence) {
  return named('d', subscription).number(sequence).take();
}

std::string gap(std::string_view subscription, const PersonKey& person) {
  return named('a', subscription).key(person).take();
}

std::string shown_of(Sequence sequence) {
  return RowWriter(std::string(storage::kOrderedRows)).number(shown_first(sequence)).take();
}
std::string shown(Sequence sequence, std::string_view subscription) {
  return RowWriter(std::string(storage::kOrderedRows)).number(shown_first(sequence)).raw(subscription).take();
}

std::string backlog(std::string_view subscription) { return named('n', subscription).take(); }
std::string replay(std::string_view name) { return named('e', name).take(); }
std::string subscriptions() { return start('s'); }
std::string subscription(std::string_view name) { return start('s').append(name); }
std::string former_subscriptions() { return start('r'); }
std::string former_subscription(std::string_view name) { return start('r').append(name); }
std::string courses() { return start('c'); }
std::string course(std::string_view name) { return start('c').append(name); }
std::string policies() { return start('v'); }
std::string policy(std::uint64_t version) { return RowWriter(start('v')).number(version).take(); }
std::string configs() { return start('y'); }
std::string config(std::uint64_t version) { return RowWriter(start('y')).number(version).take(); }

std::string day_key(std::string_view purpose, std::int64_t day) {
  return named('k', purpose).time(day).take();
}

std::string newest() { return start('t'); }

std::string erased_keys() { return start('x'); }
std::string erased_key(const KeyId& key) { return start('x').append(text_of(key.bytes)); }
std::string report(std::string_view name) { return start('b').append(name); }
std::string refused_under(const KeyId& key) { return start('w').append(text_of(key.bytes)); }

bool is_keyed(std::string_view key) {
  return key.starts_with("p/") || key.starts_with("l/") || is_identity(key);
}
bool is_identity(std::string_view key) { return key.starts_with("i/"); }

Sequence last_sequence(std::string_view key) {
  const auto size = sizeof(Sequence);
  return key.size() < size ? 0 : RowReader(key.substr(key.size() - size)).number<Sequence>();
}

Sequence shown_first(Sequence sequence) { return sequence - sequence % kShownOfRow; }

Sequence shown_first(std::string_view key) {
  const auto prefix = storage::kOrderedRows.size();
  return key.size() < prefix ? 0 : RowReader(key.substr(prefix)).number<Sequence>();
}

std::string_view shown_name(std::string_view key) {
  const auto prefix = shown_of(0).size();
  return key.size() < prefix ? std::string_view() : key.substr(prefix);
}

}  // namespace carehub::care::row_keys
