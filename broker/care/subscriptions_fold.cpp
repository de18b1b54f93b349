#include "broker/care/subscriptions_fold.hpp"

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/rules.hpp"

namespace carehub::care {
namespace {

std::string_view view_of(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : text->string_view();
}

std::string filter_bytes(const ledger::Filter* filter) {
  ledger::FilterT copy;
  if (filter != nullptr) filter->UnPackTo(&copy);
  return std::string(text_of(core::filter_bytes(copy)));
}

constexpr std::size_t kRowsMax = 4096;  // far above what limits let into the hub

Result<core::Course> decode_course(std::string_view row) {
  RowReader reader(row);
  core::Course course;
  if (reader.flag()) course.paused_since = Timestamp{};
  const Timestamp since{reader.time()};
  if (course.paused_since) course.paused_since = since;
  course.skip_before = reader.number<Sequence>();
  course.next = reader.number<Sequence>();
  course.through = reader.number<Sequence>();
  if (!reader.ok())
    return fail(ErrorKind::corrupt, "a subscription's course is cut short: run carehub rebuild");
  return course;
}

void write_replay(const ledger::SubscriptionChanged& change, RowWriter& row) {
  row.text(view_of(change.replay_of()))
      .number(change.start())
      .number(change.last())
      .flag(change.person() != nullptr)
      .key(change.person() == nullptr ? PersonKey() : key_from<PersonKey>(*change.person()))
      .number(change.rate_per_minute())
      .flag(change.raise_notices());
}

void read_replay(RowReader& row, core::Subscription& subscription) {
  core::ReplayInto replay;
  replay.subscription = row.text();
  replay.first = row.number<Sequence>();
  replay.last = row.number<Sequence>();
  const bool about_one = row.flag();
  const auto person = row.key<PersonKey>();
  if (about_one) replay.person = person;
  subscription.rate_per_minute = row.number<std::uint32_t>();
  replay.raise_notices = row.flag();
  subscription.replay = std::move(replay);
}

Result<void> fold_course(const FoldEntry& entry, const ledger::SubscriptionChanged& change, Rows& rows) {
  const auto name = view_of(change.name());
  auto course = course_row(rows, name);
  if (!course) return tl::unexpected(course.error());
  const bool created = change.change() == ledger::SubscriptionChange::created;
  core::apply({change.change(), change.start(), created ? change.last() : change.through(),
               view_of(change.by()) == core::kByConfiguration, entry.appended_at},
              *course);
  if (!course->moving() && !course->paused_since) {
    rows.remove(row_keys::course(name));
  } else {
    rows.put(row_keys::course(name), RowWriter()
                                         .flag(course->paused_since.has_value())
                                         .time(course->paused_since.value_or(Timestamp{}).us)
                                         .number(course->skip_before)
                                         .number(course->next)
                                         .number(course->through)
                                         .take());
  }
  return {};
}

/// Texts by the entry that brought them in, in that order.
Result<std::vector<core::EngineState::KnownPolicy>> text_rows(const RowReads& rows, const std::string& prefix,
                                                              std::string (*key)(std::uint64_t)) {
  std::vector<core::EngineState::KnownPolicy> texts;
  while (true) {
    const auto from = texts.empty() ? 0 : texts.back().version + 1;
    auto found = rows.scan(prefix, key(from), kRowsMax);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      RowReader reader(row.value);
      texts.push_back({row_keys::last_sequence(row.key), std::string(reader.text())});
      if (!reader.ok())
        return fail(ErrorKind::corrupt,
                    "a policy's or configuration's row is cut short: run carehub rebuild");
    }
    if (found->size() < kRowsMax) return texts;
  }
}

}  // namespace

Result<core::Course> course_row(const RowReads& rows, std::string_view name) {
  auto row = rows.get(row_keys::course(name));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return core::Course();
  return decode_course(**row);
}

Result<std::map<std::string, core::Course>> course_rows(const RowReads& rows) {
  std::map<std::string, core::Course> courses;
  const auto prefix = row_keys::courses();
  std::string from;
  while (true) {
    auto found = rows.scan(prefix, from, kRowsMax);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      auto course = decode_course(row.value);
      if (!course) return tl::unexpected(course.error());
      if (kFault == Fault::forgets_pauses_at_start) course->paused_since.reset();
      courses.emplace(row.key.substr(prefix.size()), *course);
      from = row.key + '\0';
    }
    if (found->size() < kRowsMax) return courses;
  }
}

Result<void> fold_subscription_changed(const FoldEntry& entry, const ledger::SubscriptionChanged& change,
                                       Rows& rows) {
  const auto name = view_of(change.name());
  if (name.empty()) return {};
  if (auto followed = fold_course(entry, change, rows); !followed) return followed;
  if (change.change() == ledger::SubscriptionChange::removed) {
    // What is pending stays: a channel that comes back under its name goes on where it was. Whose it was
    // stays, too, so that nobody else can take it up.
    rows.remove(row_keys::subscription(name));
    if (core::is_replay_name(name)) {
      rows.remove(row_keys::replay(name));  // its name never comes again
      return {};
    }
    rows.put(row_keys::former_subscription(name),
             RowWriter().text(view_of(change.agency())).text(view_of(change.role())).take());
    return {};
  }
  if (change.change() != ledger::SubscriptionChange::created &&
      change.change() != ledger::SubscriptionChange::changed) {
    return {};
  }
  rows.remove(row_keys::former_subscription(name));
  RowWriter row;
  row.text(view_of(change.agency()))
      .text(view_of(change.role()))
      .flag(view_of(change.by()) == core::kByConfiguration)
      .text(filter_bytes(change.filter()));
  if (core::is_replay_name(name)) write_replay(change, row);
  rows.put(row_keys::subscription(name), row.take());
  return {};
}

void fold_policy_changed(const FoldEntry& entry, const ledger::PolicyChanged& change, Rows& rows) {
  rows.put(row_keys::policy(entry.sequence), RowWriter().text(view_of(change.text())).take());
}

void fold_config_changed(const FoldEntry& entry, const ledger::ConfigChanged& change, Rows& rows) {
  rows.put(row_keys::config(entry.sequence), RowWriter().text(view_of(change.text())).take());
}

Result<void> fold_day_key(const FoldEntry& entry, const std::string& purpose, Rows& rows) {
  auto key = row_keys::day_key(purpose, core::utc_day(entry.appended_at));
  auto known = rows.get(key);
  if (!known) return tl::unexpected(known.error());
  if (!*known) rows.put(std::move(key), RowWriter().key(entry.key_id).take());
  return {};
}

Result<std::vector<core::Subscription>> subscription_rows(const RowReads& rows) {
  auto found = rows.scan(row_keys::subscriptions(), {}, kRowsMax);
  if (!found) return tl::unexpected(found.error());
  std::vector<core::Subscription> subscriptions;
  for (const auto& row : *found) {
    RowReader reader(row.value);
    core::Subscription subscription;
    subscription.name = row.key.substr(row_keys::subscriptions().size());
    subscription.agency = reader.text();
    subscription.role = reader.text();
    subscription.configured = reader.flag();
    const auto packed = bytes_of(reader.text());
    const Bytes filter(packed.begin(), packed.end());  // aligned, as FlatBuffers are read
    if (core::is_replay_name(subscription.name)) read_replay(reader, subscription);
    flatbuffers::Verifier verifier(filter.data(), filter.size());
    if (!reader.ok() || !verifier.VerifyBuffer<ledger::Filter>(nullptr)) {
      return fail(ErrorKind::corrupt, "a subscription's row does not read: run carehub rebuild");
    }
    flatbuffers::GetRoot<ledger::Filter>(filter.data())->UnPackTo(&subscription.filter);
    subscriptions.push_back(std::move(subscription));
  }
  return subscriptions;
}

Result<std::vector<core::EngineState::FormerSubscription>> former_subscription_rows(const RowReads& rows) {
  std::vector<core::EngineState::FormerSubscription> former;
  const auto prefix = row_keys::former_subscriptions();
  while (true) {
    // The name behind the last one: no key lies between a text and the same text with a zero behind it.
    const auto from = former.empty() ? std::string() : prefix + former.back().name + '\0';
    auto found = rows.scan(prefix, from, kRowsMax);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      RowReader reader(row.value);
      former.push_back(
          {row.key.substr(prefix.size()), std::string(reader.text()), std::string(reader.text())});
      if (!reader.ok()) {
        return fail(ErrorKind::corrupt, "a former subscription's row is cut short: run carehub rebuild");
      }
    }
    if (found->size() < kRowsMax) return former;
  }
}

Result<std::vector<core::EngineState::KnownPolicy>> policy_rows(const RowReads& rows) {
  return text_rows(rows, row_keys::policies(), row_keys::policy);
}

Result<std::vector<core::EngineState::KnownPolicy>> config_rows(const RowReads& rows) {
  return text_rows(rows, row_keys::configs(), row_keys::config);
}

Result<std::optional<KeyId>> day_key_row(const RowReads& rows, const std::string& purpose, std::int64_t day) {
  auto row = rows.get(row_keys::day_key(purpose, day));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<KeyId>();
  RowReader reader(**row);
  const auto key = reader.key<KeyId>();
  if (!reader.ok()) return fail(ErrorKind::corrupt, "a day key's row is cut short: run carehub rebuild");
  return std::optional(key);
}

}  // namespace carehub::care
