#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/limits.hpp"
#include "schemas/ledger_generated.h"

/// What the configuration says, as plain values that decisions are made from.
namespace carehub::core {

struct Agency {
  std::string id;
  std::string name;
  std::string kind;                // hospital, council, school ... (domain.md)
  std::vector<std::string> codes;  // its ODS, GSS, URN and LAESTAB codes: who is its pupil, patient, resident
  std::vector<event::EventType> may_publish;
  std::vector<std::string> roles;  // that its connections may subscribe and ask as
};

/// Whom a channel is about. A message about anybody else is answered NotKept and leaves nothing behind.
/// A person without a birth date is in scope: a child's event must not be lost for a missing field.
struct Scope {
  std::optional<std::uint8_t> age_min_years;  // completed years at the event
  std::optional<std::uint8_t> age_max_years;  // inclusive
  std::vector<std::string> units;             // unit or ward codes; empty: all
};

struct InboundChannel {
  std::string name;
  std::string agency;
  Scope scope;
};

struct RetryRules {
  std::uint32_t ack_wait_ms = limits::kAckWaitMs;
  std::uint32_t attempts_max = limits::kAttemptsMax;
  std::uint32_t backoff_first_ms = limits::kBackoffFirstMs;
  std::uint32_t backoff_max_ms = limits::kBackoffMaxMs;
};

/// Where a subscription begins that was not there before.
struct StartAt {
  enum class Kind : std::uint8_t { now, beginning, sequence, time } kind = Kind::now;
  std::uint64_t sequence = 0;  // of `sequence`: the first entry
  std::int64_t at_us = 0;      // of `time`: microseconds UTC
};

/// A part of history that goes once more to another subscription's receiver, as a stream of its own.
struct ReplayInto {
  std::string subscription;         // into which
  Sequence first = 0;               // from this entry
  Sequence last = 0;                // to this one
  std::optional<PersonKey> person;  // about this child alone
  bool raise_notices = false;       // asked for by name
};

struct Subscription {
  std::string name;
  std::string agency;
  std::string role;
  ledger::FilterT filter;
  bool durable = true;
  RetryRules retry;
  bool configured = false;  // named by the configuration, not by a client's Subscribe
  StartAt start = {};
  std::uint32_t rate_per_minute = 0;  // deliveries that leave, at most; 0: no limit
  bool notice = false;                // what it delivers is a notice to people
  std::optional<ReplayInto> replay = {};
};

struct HubRules {
  std::vector<Agency> agencies;
  std::vector<InboundChannel> inbound;
  std::vector<Subscription> subscriptions;  // of the outbound channels; durable
  std::string policy_text;                  // whole, as recorded in PolicyChanged
  std::string policy_file;
};

/// The `by` of changes that the configuration made.
constexpr const char* kByConfiguration = "configuration";

/// A replay into a subscription is a subscription of its own, named behind that one's name and this mark by
/// the entry that made it. No plain name holds the mark.
std::string replay_name(const std::string& subscription, Sequence entry);
bool is_replay_name(std::string_view name);

/// The filter as FlatBuffer: to keep it, and to see whether two are the same.
Bytes filter_bytes(const ledger::FilterT& filter);
/// How large a peer's filter is once it is copied. What its frame shares counts each time it is named: look
/// before you unpack.
std::size_t unpacked_bytes(const ledger::Filter& filter);

}  // namespace carehub::core
