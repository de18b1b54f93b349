#include "broker/core/refused_questions.hpp"

#include <algorithm>
#include <limits>

#include "broker/core/courses.hpp"
#include "broker/core/delivery_records.hpp"

namespace carehub::core {
namespace {

std::string kept_text(const flatbuffers::String* text) {
  if (text == nullptr) return {};
  return text->size() > limits::kErrorTextBytesMax ? "(a text that is too long)" : text->str();
}

}  // namespace

Result<bool> RefusedQuestions::write(const ledger::AccessT& access, Timestamp now) {
  auto key = day_keys_.key(kHubPurpose, now);
  if (!key && key.error().kind == ErrorKind::unavailable) return false;
  if (!key) return tl::unexpected(key.error());
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  journal_.append({storage::EntryKind::access, *key, std::move(body)}, now);
  return true;
}

bool RefusedQuestions::tells(const Peer& peer, Timestamp now) const {
  const auto known = told_.find(key_of(peer));
  if (known == told_.end()) return told_.size() < kClientsMax;
  return known->second.since == 0 && now.us - known->second.at.us >= kApartUs;
}

Result<void> RefusedQuestions::add(const Peer& peer, ledger::AccessT access, Timestamp now) {
  const bool tells_it = tells(peer, now);
  if (told_.size() >= kClientsMax && !told_.contains(key_of(peer))) {
    if (others_.since++ == 0) others_.at = now;
    return {};
  }
  auto& told = told_[key_of(peer)];
  if (!tells_it) {
    ++told.since;
    return {};
  }
  told.at = now;
  told.agency = peer.agency;
  told.by = asker(peer, {});
  access.verb = kRefusedVerb + access.verb;
  auto written = write(access, now);
  if (!written) return tl::unexpected(written.error());
  if (!*written) ++told.since;
  return {};
}

Result<void> RefusedQuestions::add(const Peer& peer, Wish wish, const std::string& why, Timestamp now) {
  ledger::AccessT access;
  access.verb = std::move(wish.verb);
  access.by = asker(peer, kept_text(wish.by));
  access.agency = peer.agency;
  access.reason = kept_text(wish.reason);
  access.person = std::move(wish.person);
  access.what = wish.what.take();
  access.what += (access.what.empty() ? "" : ": ") + why;
  return add(peer, std::move(access), now);
}

Result<void> RefusedQuestions::tell_count(Told& told, const std::string& of_whom, Timestamp now) {
  ledger::AccessT access;
  access.verb = std::string(kRefusedVerb) + "questions";
  access.by = told.by;
  access.agency = told.agency;
  access.what = std::to_string(told.since) + " more" + of_whom + " that are not told one by one";
  access.rows = told.since;
  auto written = write(access, now);
  if (!written) return tl::unexpected(written.error());
  if (*written) told.since = 0;
  told.at = now;
  return {};
}

Result<Timestamp> RefusedQuestions::advance(Timestamp now) {
  Timestamp due{std::numeric_limits<std::int64_t>::max()};
  for (auto next = told_.begin(); next != told_.end();) {
    auto& told = next->second;
    const Timestamp at{told.at.us + kApartUs};
    if (at > now) {
      if (told.since > 0) due = std::min(due, at);
      ++next;
      continue;
    }
    if (told.since == 0) {
      next = told_.erase(next);
      continue;
    }
    if (auto done = tell_count(told, "", now); !done) return tl::unexpected(done.error());
    if (told.since > 0) due = std::min(due, Timestamp{now.us + kApartUs});
    ++next;
  }
  if (others_.since > 0 && now.us - others_.at.us >= kApartUs) {
    if (auto done = tell_count(others_, " of further clients", now); !done)
      return tl::unexpected(done.error());
  }
  if (others_.since > 0) due = std::min(due, Timestamp{others_.at.us + kApartUs});
  return due;
}

}  // namespace carehub::core
