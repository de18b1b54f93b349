#include "broker/core/doors.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "broker/core/courses.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

using wire::DoorEvent;
using wire::TurnedAway;

constexpr std::size_t kDoorBytesMax = 64;
constexpr std::size_t kAccountBytesMax = 64;
constexpr std::uint64_t kCountMax = 1'000'000'000;
constexpr const char* kOtherDoors = "(other doors)";

/// a-z, 0-9, '.', '_' and '-': what an id is made of, and hardly a name.
bool is_word(const flatbuffers::String* text, std::size_t bytes_max) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  return text != nullptr && text->size() > 0 && text->size() <= bytes_max &&
         text->string_view().find_first_not_of(kLetters) == std::string_view::npos;
}

const char* words_for(TurnedAway cause) {
  switch (cause) {
    case TurnedAway::no_account: return "an account that is not there";
    case TurnedAway::account_over: return "an account whose last day is over";
    case TurnedAway::wrong_password: return "a wrong password";
    case TurnedAway::wrong_code: return "a wrong or used code";
    case TurnedAway::has_to_wait: return "had to wait after wrong attempts";
    case TurnedAway::too_many: return "too many at once";
    case TurnedAway::foreign_form: return "a form of somebody else's";
    case TurnedAway::provider: return "not by the provider";
    case TurnedAway::no_role: return "without a role here";
    case TurnedAway::unknown_token: return "no token of this channel";
    case TurnedAway::token_over: return "a token whose last day is over";
    case TurnedAway::wrong_certificate: return "no certificate of this channel's clients";
    case TurnedAway::no_handshake: return "no TLS that is taken here";
    case TurnedAway::token_elsewhere: return "a token from an address that is not its agency's";
    case TurnedAway::unknown: break;
  }
  return nullptr;
}

}  // namespace

Doors::Doors(const std::vector<InboundChannel>& channels, Journal& journal, DayKeys& day_keys,
             RefusedQuestions& refused)
    : journal_(journal), day_keys_(day_keys), refused_(refused) {
  for (const auto& channel : channels) agencies_.emplace(channel.name, channel.agency);
}

bool Doors::keeps(const Peer& peer, const wire::TellDoor& frame) const {
  const auto channel = agencies_.find(frame.door() == nullptr ? std::string() : frame.door()->str());
  if (!peer.is_operator) return channel != agencies_.end() && channel->second == peer.agency;
  return channel == agencies_.end() && is_word(frame.door(), kDoorBytesMax);
}

std::string Doors::fault_of(const wire::TellDoor& frame) {
  if (frame.events() == nullptr || frame.events()->size() == 0 || frame.events()->size() > kEventsMax)
    return "say from 1 to 64 events";
  for (const auto* said : *frame.events()) {
    const bool away = said->event() == DoorEvent::turned_away;
    if (!away && said->event() != DoorEvent::signed_in && said->event() != DoorEvent::signed_out)
      return "this hub does not know such an event";
    if (away ? said->account() != nullptr : !is_word(said->account(), kAccountBytesMax))
      return "say the account's id of who signed in or out, and of nobody else";
    if (away ? words_for(said->cause()) == nullptr : said->cause() != TurnedAway::unknown)
      return "say why of who was turned away, and of nobody else";
    if (said->count() == 0 || said->count() > kCountMax || (!away && said->count() != 1))
      return "this is no count";
  }
  return {};
}

Result<Sequence> Doors::write(const ledger::AccessT& access, Timestamp now) {
  auto key = day_keys_.key(kHubPurpose, now);
  if (!key && key.error().kind == ErrorKind::unavailable) return Sequence{0};
  if (!key) return tl::unexpected(key.error());
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  return journal_.append({storage::EntryKind::access, *key, std::move(body)}, now);
}

Result<Sequence> Doors::came_or_went(const Peer& peer, const std::string& door, const wire::AtDoor& said,
                                     Timestamp now) {
  ledger::AccessT access;
  access.verb = said.event() == DoorEvent::signed_in ? "signed in" : "signed out";
  access.by = said.account()->str();
  access.agency = peer.agency;
  access.what = "at the " + door;
  return write(access, now);
}

void Doors::turn_away(const Peer& peer, const std::string& door, const wire::AtDoor& said) {
  std::set<std::string> doors;
  for (const auto& [key, told] : turned_away_) doors.insert(key.first);
  const bool one_more = doors.size() < kDoorsMax || doors.contains(door);
  auto& told = turned_away_[{one_more ? door : kOtherDoors, said.cause()}];
  told.since += said.count();
  told.by = asker(peer, {});
  told.agency = peer.agency;
}

Result<void> Doors::handle(const Peer& peer, const wire::TellDoor& frame, Timestamp now, Decision& out) {
  const auto answer = [&](std::optional<ErrorKind> error, const std::string& why, Sequence sequence) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), error, why, sequence)});
  };
  const auto is_own = [](const auto* said) { return said->event() != DoorEvent::turned_away; };
  const bool keeper = keeps(peer, frame);
  std::string fault = keeper ? fault_of(frame) : "this is no door that the connection may speak of";
  // People sign in where the hub's own processes say so, over ipc and inproc.
  if (fault.empty() && !peer.is_operator &&
      std::any_of(frame.events()->begin(), frame.events()->end(), is_own))
    fault = "nobody signs in at a channel";
  if (!fault.empty()) {
    answer(keeper ? ErrorKind::invalid : ErrorKind::denied, fault, 0);
    return refused_.add(peer, Wish{"tell who signed in", {}, nullptr, nullptr}, fault, now);
  }
  if (now.us - minute_.us >= kApartUs) {
    minute_ = now;
    entries_ = 0;
  }
  const auto own =
      static_cast<std::size_t>(std::count_if(frame.events()->begin(), frame.events()->end(), is_own));
  if (entries_ + own > kEntriesMax) {
    answer(ErrorKind::overloaded, "too many have signed in or out in this minute: try again in the next", 0);
    return {};
  }
  Sequence last = 0;
  for (const auto* said : *frame.events()) {
    if (!is_own(said)) {
      turn_away(peer, frame.door()->str(), *said);
      continue;
    }
    const auto written = came_or_went(peer, frame.door()->str(), *said, now);
    if (!written) return tl::unexpected(written.error());
    if (*written == 0) {
      answer(ErrorKind::unavailable, "the vault cannot be extended now: try again later", 0);
      return {};
    }
    ++entries_;
    last = *written;
  }
  if (const auto told = advance(now); !told) return tl::unexpected(told.error());
  answer(std::nullopt, "", last);
  return {};
}

Result<Timestamp> Doors::advance(Timestamp now) {
  Timestamp due{std::numeric_limits<std::int64_t>::max()};
  for (auto next = turned_away_.begin(); next != turned_away_.end();) {
    auto& [key, told] = *next;
    const bool over = now.us - told.at.us >= kApartUs;
    if (over && told.since == 0) {
      next = turned_away_.erase(next);
      continue;
    }
    if (over) {
      ledger::AccessT access;
      access.verb = std::string(kRefusedVerb) + "sign-in";
      access.by = told.by;
      access.agency = told.agency;
      access.rows = told.since;
      access.what =
          std::to_string(told.since) + " turned away at the " + key.first + ": " + words_for(key.second);
      const auto written = write(access, now);
      if (!written) return tl::unexpected(written.error());
      if (*written != 0) told.since = 0;
      told.at = now;
    }
    if (told.since > 0) due = std::min(due, Timestamp{told.at.us + kApartUs});
    ++next;
  }
  return due;
}

}  // namespace carehub::core
