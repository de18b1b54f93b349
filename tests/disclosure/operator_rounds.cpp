#include <catch2/catch.hpp>
#include <filesystem>

#include "broker/storage/verify_note.hpp"
#include "tests/disclosure/rounds.hpp"

namespace carehub::disclosure {
namespace {

constexpr std::uint64_t kSeenAtS = 1'900'000'000;

}  // namespace

/// What is asked or done about an event, whatever the role.
void Rounds::of_type(event::EventType type) {
  const auto& ours = matrix_.example(type, 0);
  const auto page_of = [&](wire::QueryT frame, bool operators_only) {
    matrix_.ask_all(
        [&](const Desk&) { return frame; },
        [&](const Desk& desk, const Arrived& answer) {
          INFO(desk.agency << ": " << wire::EnumNameQueryKind(frame.kind) << " of " << ours.event.type);
          matrix_.check_empty(answer.bytes);
          const auto* page = answer.as<wire::PageT>();
          REQUIRE(page != nullptr);
          if (operators_only && is_refused(desk, page->error)) {
            CHECK(page->rows.empty());
          } else {
            CHECK(page->error != wire::ErrorKind::denied);
          }
        });
  };
  auto trail = query(wire::QueryKind::trail);
  trail.person = person_of(ours);
  page_of(std::move(trail), true);
  auto entries = query(wire::QueryKind::entries);
  entries.sequence = entries.size = ours.sequence;
  page_of(std::move(entries), true);
  auto proof = query(wire::QueryKind::proof);
  proof.sequence = ours.sequence;
  page_of(std::move(proof), false);
  matrix_.ask_all(
      [&](const Desk& desk) {
        wire::HandleDeadLetterT frame;
        frame.action = wire::DeadLetterAction::mend;
        frame.subscription = desk_name(desk, roles_.back(), true);
        frame.sequence = ours.sequence;
        frame.by = kBy;
        frame.reason = kReason;
        frame.event = ours.event.bytes;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        if (!is_refused(desk, handled->error)) CHECK(handled->error == wire::ErrorKind::not_found);
      });
  matrix_.ask_all(
      [&](const Desk&) {
        wire::EraseT frame;
        frame.person = person_of(ours);
        frame.by = kBy;
        frame.reason = kReason;
        frame.preview = true;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        matrix_.check_empty(answer.bytes);
        const auto* erased = answer.as<wire::ErasedT>();
        REQUIRE(erased != nullptr);
        if (is_refused(desk, erased->error)) {
          CHECK(erased->events == 0);
        } else if (ours.event.type != "capacity") {
          CHECK(erased->events == 1);
        }
      });
}

/// What is done to a role's subscription.
void Rounds::of_role(const std::string& role) {
  for (const auto action : {wire::SubscriptionAction::pause, wire::SubscriptionAction::resume}) {
    matrix_.ask_all(
        [&](const Desk&) {
          wire::HandleSubscriptionT frame;
          frame.action = action;
          frame.subscription = "desk-operators-" + role;
          frame.by = kBy;
          frame.reason = kReason;
          return frame;
        },
        [&](const Desk& desk, const Arrived& answer) {
          matrix_.check_empty(answer.bytes);
          const auto* handled = answer.as<wire::HandledT>();
          REQUIRE(handled != nullptr);
          if (is_refused(desk, handled->error)) return;
          CHECK(handled->error ==
                (matrix_.policy.has_role(role) ? wire::ErrorKind::unknown : wire::ErrorKind::not_found));
        });
  }
}

/// What is neither of a role nor of a type.
void Rounds::of_desk() {
  using wire::QueryKind;
  const auto ask = [&](wire::QueryT frame, bool operators_only, const Matrix::Judge& judge = {}) {
    matrix_.ask_all([&](const Desk&) { return frame; },
                    [&](Desk& desk, const Arrived& answer) {
                      INFO(desk.agency << ": " << wire::EnumNameQueryKind(frame.kind));
                      matrix_.check_empty(answer.bytes);
                      const auto* page = answer.as<wire::PageT>();
                      REQUIRE(page != nullptr);
                      if (operators_only && is_refused(desk, page->error)) {
                        CHECK(page->rows.empty());
                        return;
                      }
                      INFO(page->text);
                      CHECK(page->error == wire::ErrorKind::unknown);
                      if (judge) judge(desk, answer);
                    });
  };
  const auto only_its_own = [](const Desk& desk, const Arrived& answer) {
    for (const auto& row : answer.as<wire::PageT>()->rows)
      CHECK((desk.is_operator() || row->agency == desk.agency));
  };
  ask(query(QueryKind::dead_letters), false, only_its_own);
  ask(query(QueryKind::subscriptions), false, only_its_own);
  ask(query(QueryKind::status), false);
  auto report = query(QueryKind::report);
  report.size = 1;
  ask(report, true);
  auto wider = matrix_.policy;
  for (auto& rule : wider.rules) rule.show = {"*"};
  auto compared = query(QueryKind::policy_diff);
  compared.first_at = 1;
  compared.policy = wider.text();
  ask(compared, true, [](const Desk&, const Arrived& answer) {
    const auto& rows = answer.as<wire::PageT>()->rows;
    const auto tells = [&](const char* text) {
      return std::ranges::any_of(rows,
                                 [&](const auto& row) { return row->kind == "change" && row->text == text; });
    };
    CHECK(tells("more"));
    CHECK_FALSE(tells("less"));
  });
  ask(query(QueryKind::policy), true, [&](const Desk&, const Arrived& answer) {
    CHECK(answer.as<wire::PageT>()->rows.at(0)->text == matrix_.policy.text());
  });
  std::string checkpoint;
  ask(query(QueryKind::checkpoint), false,
      [&](const Desk&, const Arrived& answer) { checkpoint = answer.as<wire::PageT>()->rows.at(0)->text; });
  auto tile = query(QueryKind::tile);
  tile.path = "tile/0/000";
  ask(tile, false);
  change_policy();
  back_up();
  replay_into();
  cosign(checkpoint);
}

/// Whoever hands it in: what counts is the witness's key.
void Rounds::cosign(const std::string& checkpoint) {
  const auto parsed = storage::verify::parse_checkpoint(checkpoint);
  REQUIRE(parsed);
  for (const bool by_witness : {false, true}) {
    matrix_.ask_all(
        [&](const Desk&) {
          wire::CosignT frame;
          frame.checkpoint =
              checkpoint + (by_witness ? matrix_.hub.witness().cosign(parsed->body, kSeenAtS) : "");
          return frame;
        },
        [&](const Desk&, const Arrived& answer) {
          matrix_.check_empty(answer.bytes);
          const auto* handled = answer.as<wire::HandledT>();
          REQUIRE(handled != nullptr);
          CHECK((handled->error == wire::ErrorKind::denied) == !by_witness);
        });
  }
}

void Rounds::change_policy() {
  auto wider = matrix_.policy;
  for (auto& rule : wider.rules) rule.show = {"*"};
  matrix_.ask_all(
      [&](const Desk& desk) {
        wire::ChangePolicyT frame;
        frame.text = wider.text();
        frame.expected_version = 1;  // the ledger's first entry
        frame.by = kBy;
        frame.reason = kReason;
        frame.preview = desk.is_operator();
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        INFO(handled->text);
        if (!is_refused(desk, handled->error)) CHECK(handled->error == wire::ErrorKind::unknown);
      });
}

void Rounds::back_up() {
  const auto place = [&](const Desk& desk) {
    return matrix_.hub.directory().path() / ("copy-" + (desk.is_operator() ? "operators" : desk.agency));
  };
  matrix_.ask_all(
      [&](const Desk& desk) {
        wire::BackupT frame;
        frame.ledger = place(desk).string();
        frame.by = kBy;
        frame.reason = kReason;
        return frame;
      },
      [&](Desk& desk, const Arrived& first) {
        auto told = *first.as<wire::BackedUpT>();
        matrix_.check_empty(first.bytes);
        while (!told.last) {
          const auto next = desk.peer.answer();
          matrix_.check_empty(next.bytes);
          told = *next.as<wire::BackedUpT>();
        }
        INFO(told.text);
        if (!is_refused(desk, told.error)) CHECK(told.error == wire::ErrorKind::unknown);
        CHECK(std::filesystem::exists(place(desk)) == desk.is_operator());
      });
}

void Rounds::replay_into() {
  matrix_.ask_all(
      [&](const Desk&) {
        wire::ReplayT frame;
        frame.into = "desk-operators-inspector";
        frame.by = kBy;
        frame.reason = kReason;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        matrix_.check_empty(answer.bytes);
        const auto* handled = answer.as<wire::HandledT>();
        REQUIRE(handled != nullptr);
        if (!is_refused(desk, handled->error)) CHECK(handled->error == wire::ErrorKind::unknown);
      });
}

}  // namespace carehub::disclosure
