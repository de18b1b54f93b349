#pragma once

#include <string>
#include <string_view>

#include "broker/base/ids.hpp"

/// Keys of the state's rows. One letter says the kind; names stand behind their length, so that no name is
/// another's prefix; sequences are big-endian, so that key order is sequence order. Nothing of a person is in
/// clear.
namespace carehub::care::row_keys {

std::string person(const PersonKey& person);    // p: PersonRecord
std::string link(const KeyedHash& identifier);  // l: whose identifier it is
std::string names_of(const PersonKey& person);  // u: prefix of what a record is called
std::string name_of(const PersonKey& person, const KeyedHash& identifier);
std::string links_naming();                             // h: prefix of all links and merges by name
std::string links_naming(const KeyedHash& identifier);  // h: prefix of those that name it
std::string link_naming(const KeyedHash& identifier, Sequence sequence);
std::string child_facts(const PersonKey& person);                  // z: what was said of a child, sealed
std::string child_facts_kept();                                    // m: the rows above are of all entries
std::string links_kept();                                          // m: the rows above are of all entries
std::string fingerprint(const Fingerprint& fingerprint);           // f: where this message is
std::string identity(const KeyedHash& identity);                   // i: where this identity was seen first
std::string reused_of(const KeyedHash& identity);                  // j: prefix of what came under it since
std::string reused(const KeyedHash& identity, Sequence sequence);  // its fingerprint

std::string pending_of(std::string_view subscription);  // q: prefix of its pending deliveries
std::string pending(std::string_view subscription, Sequence sequence);
std::string gate_of(std::string_view subscription,
                    const PersonKey& person);  // g: prefix of a child's pending
std::string gate(std::string_view subscription, const PersonKey& person, Sequence sequence);
std::string dead_of(std::string_view subscription);  // d: prefix of its dead letters
std::string dead(std::string_view subscription, Sequence sequence);
std::string gap(std::string_view subscription,
                const PersonKey& person);  // a: the child's next comes after a gap
std::string shown_of(Sequence sequence);   // o: prefix of who was offered an event and its neighbours
std::string shown(Sequence sequence, std::string_view subscription);
std::string backlog(std::string_view subscription);  // n: counts
std::string replay(std::string_view name);           // e: counts of a replay into a subscription

std::string subscriptions();  // s: prefix
std::string subscription(std::string_view name);
std::string former_subscriptions();  // r: prefix of those that were removed: whose they were
std::string former_subscription(std::string_view name);
std::string courses();  // c: prefix of where those stand that are paused or not at the end
std::string course(std::string_view name);
std::string policies();  // v: prefix
std::string policy(std::uint64_t version);
std::string configs();  // y: prefix of the agencies as they were configured, from an entry on
std::string config(std::uint64_t version);
std::string day_key(std::string_view purpose, std::int64_t day);  // k: KeyId
std::string erased_keys();                                        // x: prefix of keys that were erased
std::string erased_key(const KeyId& key);                         // the Erasure's number
std::string refused_under(const KeyId& key);  // w: fingerprint of the message refused under this key
std::string newest();                         // t: when the newest entry was appended

std::string report(std::string_view name);  // b: where a report's figures are
/// Persons, identifiers and messages: their names are a kind and 16 bytes that are random or a keyed hash.
bool is_keyed(std::string_view key);
bool is_identity(std::string_view key);

/// The sequence at the end of a pending, gate or dead key.
Sequence last_sequence(std::string_view key);
/// The first event that a shown row may tell of; it is of kShownOfRow at most.
Sequence shown_first(Sequence sequence);
constexpr Sequence kShownOfRow = 64;
/// Likewise, of its key.
Sequence shown_first(std::string_view key);
/// The subscription's name at the end of a shown key.
std::string_view shown_name(std::string_view key);

}  // namespace carehub::care::row_keys
