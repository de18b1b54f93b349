#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/disclosure/rounds.hpp"

namespace carehub::disclosure {
namespace {

constexpr std::uint32_t kMinutes = 60;
constexpr auto kMark = event::Restriction::witness_protection;

}  // namespace

/// Whoever's role has a glass may break it; the operators may not.
void Rounds::break_glass(const std::string& role, const Published& of) {
  Since since{.sequence = of.sequence};
  const bool has_glass = std::ranges::any_of(matrix_.policy.rules, [&](const ModelRule& rule) {
    return rule.role == role && rule.needs_broken_glass;
  });
  matrix_.ask_all(
      [&](const Desk&) {
        wire::BreakGlassT frame;
        frame.person = person_of(of);
        frame.role = role;
        frame.minutes = kMinutes;
        frame.by = kBy;
        frame.reason = kReason;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << " breaks the glass as " << role << " for the child of " << of.event.type);
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        const bool may = has_glass && !desk.is_operator() && matrix_.may_use(desk, role);
        CHECK(handled->error == (may ? wire::ErrorKind::unknown : wire::ErrorKind::denied));
        CHECK((handled->until > 0) == may);
        if (may) since.broken_by.insert(desk.agency);
      });
  CHECK(since.broken_by.empty() == !has_glass);
  timeline(role, of, since);
}

/// Only operators mark a child, and lift the mark.
void Rounds::mark(const Published& of, bool lift) {
  matrix_.ask_all(
      [&](const Desk&) {
        wire::MarkChildT frame;
        frame.person = person_of(of);
        frame.restrictions = {static_cast<event::Restriction>(kMark)};
        frame.lift = lift;
        frame.by = kBy;
        frame.reason = kReason;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << (lift ? " lifts a mark" : " marks") << " the child of " << of.event.type);
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        if (is_refused(desk, handled->error)) return;
        INFO(handled->text);
        CHECK(handled->error == wire::ErrorKind::unknown);
      });
}

/// Only the hub's own processes say who signed in.
void Rounds::tell_door() {
  matrix_.ask_all(
      [&](const Desk&) {
        wire::TellDoorT frame;
        frame.door = "console";
        frame.events.push_back(std::make_unique<wire::AtDoorT>());
        frame.events.back()->event = wire::DoorEvent::signed_in;
        frame.events.back()->account = "account-1";
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << " says who signed in");
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        if (is_refused(desk, handled->error)) return;
        CHECK(handled->error == wire::ErrorKind::unknown);
      });
}

void Rounds::protect() {
  tell_door();
  for (const auto type : all_types()) {
    for (const auto& role : roles_) break_glass(role, matrix_.example(type, 1));
    const auto& ours = matrix_.example(type, 0);
    MarkedEvent marking;
    marking.values["restrictions[0]"] = event::EnumNameRestriction(kMark);
    const Since since{.sequence = ours.sequence, .said = {&ours.event, &marking}};
    mark(ours, false);
    for (const auto& role : roles_) timeline(role, ours, since);
    mark(ours, true);
    for (const auto& role : roles_) timeline(role, ours);
  }
}

}  // namespace carehub::disclosure
