#include "broker/core/questions.hpp"

#include <algorithm>
#include <charconv>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/corrections.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/replay_span.hpp"
#include "broker/core/reports.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kTypesMax = 256;  // as many as there can be

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

/// Looked at before anything is copied. A text is never cut: what is written down must be what was asked, and
/// a frame may name one long text many times.
bool too_large(std::initializer_list<const flatbuffers::String*> texts, const ledger::Filter* filter) {
  const auto long_text = [](const flatbuffers::String* text) {
    return text != nullptr && text->size() > limits::kErrorTextBytesMax;
  };
  return std::any_of(texts.begin(), texts.end(), long_text) ||
         (filter != nullptr && unpacked_bytes(*filter) > limits::kFilterBytesMax);
}

bool given(const flatbuffers::String* policy) { return policy != nullptr && policy->size() > 0; }

/// What an explanation is refused for before it is recorded.
std::optional<std::string> fault_of_explain(const wire::Query& query, const Policy& policy) {
  const auto role = text_of(query.role());
  const bool other = given(query.policy());
  if (query.sequence() == 0) return "an explanation is asked of one event, by its entry's number";
  if (role.empty() || !may_be_told(role)) return "an explanation is asked for a role";
  if (!other && !policy.has_role(role)) return "the policy has no such role";
  return std::nullopt;
}

/// What a comparison of two policies is refused for before it is recorded.
std::optional<std::string> fault_of_diff(const wire::Query& query) {
  if (query.first_at() <= 0) return "two policies are compared on the events since a time";
  if (!given(query.policy()) && !given(query.old_policy()))
    return "the policy that decides is compared with another one: give one of them";
  return std::nullopt;
}

bool has_large_policy(const wire::Query& query) {
  const auto large = [](const auto* text) { return text != nullptr && text->size() > kPolicyTextBytesMax; };
  return large(query.policy()) || large(query.old_policy());
}

std::string compared_text(const wire::Query& query) {
  const auto name = [](const auto* text) {
    return std::string(given(text) ? "a policy that was given" : "the policy that decides");
  };
  return "from " + name(query.old_policy()) + " to " + name(query.policy());
}

std::string too_large_text() {
  return "a text of the question is longer than " + std::to_string(limits::kErrorTextBytesMax) +
         " bytes, or its filter than " + std::to_string(limits::kFilterBytesMax);
}

}  // namespace

struct Questions::Asked {
  std::string verb;
  std::string by;
  std::string role;
  std::string reason;
  std::string what;
  std::string person;  // as typed: hashed before it is written down
};

std::optional<std::string> Questions::denial(const Peer& peer, const std::string& role) const {
  if (role.empty()) return "a question about children names the role that it is asked in";
  if (peer.is_operator) {
    if (context_.disclosure.current().has_role(role)) return std::nullopt;
    return "the policy has no such role";
  }
  const auto& roles = context_.disclosure.agency(peer.agency).roles;
  if (std::find(roles.begin(), roles.end(), role) != roles.end()) return std::nullopt;
  return "agency " + peer.agency + " may not ask in this role: its roles in the hub's configuration decide";
}

Result<ledger::AccessT> Questions::access_of(const Peer& peer, const Asked& asked) const {
  ledger::AccessT access;
  access.verb = asked.verb;
  access.by = asker(peer, asked.by);
  access.agency = peer.agency;
  access.role = asked.role;
  access.reason = asked.reason;
  access.what = asked.what;
  if (!asked.person.empty()) {
    const auto canonical = canonical_identifier(asked.person);
    const auto hash = identifier_hash(context_.index_key, canonical ? *canonical : asked.person);
    auto linked = context_.state.linked({hash});
    if (!linked) return tl::unexpected(linked.error());
    const auto& person = linked->front();
    access.person = std::make_unique<ledger::Key>(person ? to_ledger(*person) : to_ledger(hash));
  }
  return access;
}

Result<void> Questions::record_access(const Peer& peer, const Asked& asked, Timestamp now) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  const auto access = access_of(peer, asked);
  if (!access) return tl::unexpected(access.error());
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &*access));
  context_.journal.append({storage::EntryKind::access, *key, std::move(body)}, now);
  return {};
}

Result<void> Questions::record_refused(const Peer& peer, Asked asked, const std::string& why, Timestamp now) {
  if (!refused_.tells(peer, now)) return refused_.add(peer, {}, now);
  // Nobody has looked yet whether it is one.
  if (!asked.role.empty() && !may_be_told(asked.role)) asked.role = "(a value that is not written down)";
  asked.what += (asked.what.empty() ? "" : ": ") + why;
  auto access = access_of(peer, asked);
  if (!access) return tl::unexpected(access.error());
  return refused_.add(peer, std::move(*access), now);
}

/// A person asked for by entry number is no identifier. What is written down is the number, first, and
/// nothing else of what was typed.
void Questions::name_by_number(Asked& asked) {
  constexpr std::string_view kBySequence = "sequence:";
  if (!asked.person.starts_with(kBySequence)) return;
  Sequence number = 0;
  const auto text = std::string_view(asked.person).substr(kBySequence.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const auto named = std::string(kBySequence) + (whole ? std::to_string(number) : "no number");
  asked.what = named + (asked.what.empty() ? "" : " ") + asked.what;
  asked.person.clear();
}

Questions::Asked Questions::asked_of(const wire::Query& query) const {
  AskedText what;
  if (const auto journey = text_of(query.journey()); !journey.empty()) {
    what.add("the journey with hash " +
             to_hex(storage::keyed_hash(context_.index_key, "journey:" + journey).bytes));
  }
  if (const auto agency = text_of(query.agency()); agency == kEveryAgency) {
    what.add("every agency");
  } else {
    what.add("agency", agency);
  }
  what.add("subscription", text_of(query.subscription()));
  if (query.kind() == wire::QueryKind::entries) {
    what.add("as sealed from entry " + std::to_string(std::max(query.sequence(), query.after() + 1)));
    if (query.size() != 0) what.add("to " + std::to_string(query.size()));
  }
  const bool reports = query.kind() == wire::QueryKind::report;
  if (reports && !Reports::fault(query)) what.add(Reports::name(query));
  if (query.kind() == wire::QueryKind::policy_diff) {
    what.add(compared_text(query));
  } else if (given(query.policy())) {
    what.add("under another policy");
  }
  if (query.at() != 0 && !reports) what.add("as of " + to_rfc3339({query.at()}));
  if (!reports) add_conditions(query, what);
  Asked asked{wire::EnumNameQueryKind(query.kind()),
              text_of(query.by()),
              text_of(query.role()),
              text_of(query.reason()),
              what.take(),
              text_of(query.person())};
  if (query.kind() == wire::QueryKind::explain) asked.person = "sequence:" + std::to_string(query.sequence());
  name_by_number(asked);
  return asked;
}

Result<void> Questions::query(const Peer& peer, const wire::Query& query, Timestamp now, Decision& out) {
  const auto refuse_unread = [&](const std::string& why) {
    out.sends.push_back({peer.connection, refused_page(query.number(), ErrorKind::invalid, why)});
    return Result<void>();
  };
  const bool about_children = query.kind() == wire::QueryKind::timeline;
  if (query.kind() == wire::QueryKind::unknown || query.kind() > wire::QueryKind::MAX) {
    return refuse_unread("this hub does not know the kind of question");
  }
  if (too_large({query.person(), query.journey(), query.agency(), query.subscription(), query.role(),
                 query.by(), query.reason(), query.channel(), query.path()},
                nullptr) ||
      (query.types() != nullptr && query.types()->size() > kTypesMax)) {
    return refuse_unread(too_large_text());
  }
  if (has_large_policy(query)) {
    return refuse_unread("a policy is larger than " + std::to_string(kPolicyTextBytesMax) + " bytes");
  }
  const auto refuse = [&](ErrorKind kind, const std::string& why) {
    out.sends.push_back({peer.connection, refused_page(query.number(), kind, why)});
    return record_refused(peer, asked_of(query), why, now);
  };
  const bool reports = query.kind() == wire::QueryKind::report;
  const bool explains = query.kind() == wire::QueryKind::explain;
  const bool compares = query.kind() == wire::QueryKind::policy_diff;
  const bool audits = reports || explains || compares || query.kind() == wire::QueryKind::entries ||
                      query.kind() == wire::QueryKind::as_of || query.kind() == wire::QueryKind::trail;
  if (query.kind() == wire::QueryKind::policy && !peer.is_operator)
    return refuse(ErrorKind::denied, "only an operator's connection reads the policy");
  if (audits && !peer.is_operator)
    return refuse(ErrorKind::denied, "only an operator's connection asks as an auditor");
  if (beyond_all_years({query.at(), query.first_at(), query.last_at()}))
    return refuse(ErrorKind::invalid, kBeyondAllYears);
  if (about_children) {
    if (const auto why = denial(peer, text_of(query.role()))) return refuse(ErrorKind::denied, *why);
  }
  if ((about_children || audits) && text_of(query.reason()).empty())
    return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  if (query.kind() == wire::QueryKind::as_of &&
      (text_of(query.person()).empty() || text_of(query.agency()).empty() || query.at() <= 0)) {
    return refuse(ErrorKind::invalid, "what was offered by then is asked of an agency, a person and a time");
  }
  if (reports) {
    if (const auto why = Reports::fault(query)) return refuse(ErrorKind::invalid, *why);
  }
  if (explains) {
    if (const auto why = fault_of_explain(query, context_.disclosure.current()))
      return refuse(ErrorKind::invalid, *why);
  }
  if (compares) {
    if (const auto why = fault_of_diff(query)) return refuse(ErrorKind::invalid, *why);
  }
  if (about_children || audits || query.kind() == wire::QueryKind::dead_letters) {
    if (auto recorded = record_access(peer, asked_of(query), now); !recorded) return recorded;
  }
  Ask ask{peer, {}, context_.disclosure.decided_at(now)};
  query.UnPackTo(&ask.query);
  if (reports) ask.query.at = now.us;  // whether the quarter is over
  out.asks.push_back(std::move(ask));
  return {};
}

Result<void> Questions::replay(const Peer& peer, const wire::Replay& replay, Sequence head, Timestamp now,
                               Decision& out) {
  if (too_large({replay.role(), replay.person(), replay.by(), replay.reason(), replay.into()},
                replay.filter())) {
    out.sends.push_back(
        {peer.connection, refused_replay(replay.number(), ErrorKind::invalid, too_large_text())});
    return {};
  }
  const auto into = text_of(replay.into());
  Asked asked{replay.preview() ? "replay preview" : "replay",
              text_of(replay.by()),
              text_of(replay.role()),
              text_of(replay.reason()),
              {},
              text_of(replay.person())};
  const auto describe = [&](Sequence first, Sequence last) {
    AskedText what;
    what.add("entries " + std::to_string(first) + " to " + std::to_string(last));
    what.add("into", into);
    if (replay.filter() != nullptr) add_conditions(*replay.filter(), what);
    asked.what = what.take();
    name_by_number(asked);
  };
  const auto refuse = [&](ErrorKind kind, const std::string& why) {
    out.sends.push_back({peer.connection, refused_replay(replay.number(), kind, why)});
    describe(replay.first(), replay.last());
    return record_refused(peer, asked, why, now);
  };
  if (!into.empty()) {
    const auto* target = deliveries_.find(into);
    if (!peer.is_operator) return refuse(ErrorKind::denied, "only an operator replays into a subscription");
    if (target == nullptr || target->watch() || target->subscription().replay)
      return refuse(ErrorKind::not_found, "there is no durable subscription of this name");
    asked.role = target->subscription().role;
  } else if (const auto why = denial(peer, asked.role)) {
    return refuse(ErrorKind::denied, *why);
  }
  if (beyond_all_years({replay.first_at(), replay.last_at()}))
    return refuse(ErrorKind::invalid, kBeyondAllYears);
  if (asked.reason.empty()) return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  auto span = replay_span(context_.state, head, replay);
  if (!span) return tl::unexpected(span.error());
  const auto last = *span ? (*span)->last : replay.last();
  describe(*span ? (*span)->first : replay.first(), last);
  if (auto recorded = record_access(peer, asked, now); !recorded) return recorded;
  if (!*span) {
    wire::ReplayedT nothing;
    nothing.number = replay.number();
    nothing.last = true;
    out.sends.push_back({peer.connection, replayed_frame(nothing)});
    return {};
  }
  AskReplay ask{peer, {}, context_.disclosure.decided_at(now)};
  replay.UnPackTo(&ask.replay);
  ask.replay.role = std::move(asked.role);
  ask.replay.first = (*span)->first;
  ask.replay.last = last;
  out.replays.push_back(std::move(ask));
  return {};
}

Result<void> Questions::handle_dead_letter(const Peer& peer, const wire::HandleDeadLetter& frame,
                                           Timestamp now, Decision& out) {
  if (too_large({frame.subscription(), frame.by(), frame.reason()}, nullptr)) {
    out.sends.push_back(
        {peer.connection, handled_frame(frame.number(), ErrorKind::invalid, too_large_text(), 0)});
    return {};
  }
  const auto refuse = [&](ErrorKind kind, const std::string& why) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), kind, why, 0)});
    const auto known = frame.action() <= wire::DeadLetterAction::MAX;
    Wish wish{std::string("dead letter ") + (known ? wire::EnumNameDeadLetterAction(frame.action()) : ""),
              {},
              frame.by(),
              frame.reason()};
    wish.what
        .add("sequence:" + std::to_string(frame.sequence()))  // by which a person's trail finds it
        .add("subscription", text_of(frame.subscription()));
    return refused_.add(peer, std::move(wish), why, now);
  };
  if (!peer.is_operator)
    return refuse(ErrorKind::denied, "only an operator's connection handles dead letters");
  const bool mends = frame.action() == wire::DeadLetterAction::mend;
  if (!mends && frame.action() != wire::DeadLetterAction::send_again &&
      frame.action() != wire::DeadLetterAction::discard) {
    return refuse(ErrorKind::invalid, "a dead letter is sent again, mended or discarded");
  }
  if (text_of(frame.reason()).empty()) return refuse(ErrorKind::invalid, "say the reason: it is recorded");
  auto dead = context_.state.dead_letter(text_of(frame.subscription()), frame.sequence());
  if (!dead) return tl::unexpected(dead.error());
  if (!*dead && mends) {
    const auto before = mending_.made_before(frame);
    if (!before) return tl::unexpected(before.error());
    if (*before != 0) {
      return refuse(ErrorKind::conflict,
                    "it is mended already: entry " + std::to_string(*before) + " stands in for it");
    }
  }
  if (!*dead) return refuse(ErrorKind::not_found, "this subscription has no dead letter of this number");
  if (frame.action() != wire::DeadLetterAction::discard) {
    const auto cancel = cancel_of_dead(**dead);
    if (!cancel) return tl::unexpected(cancel.error());
    if (*cancel != 0) {
      return refuse(ErrorKind::conflict, "entry " + std::to_string(*cancel) +
                                             " cancels it, and goes by itself: what is wrong now must not "
                                             "come behind its cancel; discard it");
    }
  }
  if (mends) {
    const auto refusal = mending_.mend(peer, frame, **dead, asker(peer, text_of(frame.by())), now, out);
    if (!refusal) return tl::unexpected(refusal.error());
    return *refusal ? refuse((*refusal)->kind, (*refusal)->text) : Result<void>();
  }
  return act(peer, frame, **dead, refuse, now, out);
}

Result<Sequence> Questions::cancel_of_dead(const Pending& dead) const {
  auto child = context_.state.person(dead.person);
  if (!child) return tl::unexpected(child.error());
  return *child ? cancel_of(dead.sequence, (*child)->last, context_.state) : Result<Sequence>(0);
}

Result<void> Questions::act(const Peer& peer, const wire::HandleDeadLetter& frame, const Pending& dead,
                            const Refuse& refuse, Timestamp now, Decision& out) {
  const auto subscription = text_of(frame.subscription());
  const bool again = frame.action() == wire::DeadLetterAction::send_again;
  Delivery* delivery = deliveries_.find(subscription);
  std::shared_ptr<const View> view;
  Pending again_now = dead;
  if (again) {
    if (delivery == nullptr) return refuse(ErrorKind::not_found, "the subscription is not there any more");
    const auto& to = delivery->subscription();
    // To offer it again is a decision of today, under the policy of then.
    again_now.offered_at = context_.disclosure.decided_at(now);
    again_now.known = context_.state.head();
    auto made = context_.disclosure.view(context_.state, again_now, to.role, to.agency);
    if (!made && !nothing_to_show(made.error())) return tl::unexpected(made.error());
    if (!made) return refuse(ErrorKind::not_found, "there is nothing to show any more: discard it");
    view = *made;
  }
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::OperatorActionT action;
  action.action = again ? kSendAgainAction : kDiscardAction;
  action.by = asker(peer, text_of(frame.by()));
  action.reason = text_of(frame.reason());
  action.sequence = frame.sequence();
  action.subscription = subscription;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  const auto sequence =
      context_.journal.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  if (again) {
    // What an operator sends again is tried again. A cursor that is set back forgets nothing, or the hub that
    // falls over the event again would never stand behind it.
    context_.note.forget(delivery->work(Step::deliver, dead.sequence));
    delivery->offer_late(again_now, view->legal_basis);
    // Its Offered is folded now, so that the same dead letter cannot be sent twice in one step.
    if (auto written = delivery->write_records(now); !written) return written;
  }
  out.sends.push_back({peer.connection, handled_frame(frame.number(), std::nullopt, "", sequence)});
  return {};
}

}  // namespace carehub::core
