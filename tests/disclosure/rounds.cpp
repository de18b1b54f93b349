#include "tests/disclosure/rounds.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

namespace carehub::disclosure {
namespace {

constexpr std::uint32_t kCredit = 1024;
constexpr std::int64_t kFarAheadUs = 4'000'000'000'000'000;

Values values_in(const Bytes& view) {
  Values values;
  const auto* event = verified_event(view);
  if (event == nullptr) FAIL("a view is no event");
  visit_fields(*event,
               [&values](const std::string& path, std::string_view value) { values.emplace(path, value); });
  return values;
}

/// Where what came is not what was to come; empty: it is.
std::string difference(const Views& came, const Views& due) {
  for (const auto& [sequence, view] : due) {
    const auto entry = "entry " + std::to_string(sequence);
    const auto found = came.find(sequence);
    if (found == came.end()) return entry + " did not come";
    for (const auto& [path, value] : view) {
      const auto seen = found->second.find(path);
      if (seen == found->second.end()) return entry + " came without " + path;
      if (seen->second != value) return entry + ": " + path + " came as " + seen->second + ", not " + value;
    }
    for (const auto& [path, value] : found->second) {
      if (!view.contains(path)) return entry + " came with " + path;
    }
  }
  for (const auto& [sequence, view] : came) {
    if (!due.contains(sequence)) return "entry " + std::to_string(sequence) + " came";
  }
  return {};
}

}  // namespace

wire::QueryT query(wire::QueryKind kind, const std::string& role) {
  wire::QueryT made;
  made.kind = kind;
  made.role = role;
  made.by = kBy;
  made.reason = kReason;
  return made;
}

std::string person_of(const Published& published) {
  if (published.event.type == "capacity") return "sequence:" + std::to_string(published.sequence);
  return "nhs:" + published.event.at("person.nhs_number");
}

std::string desk_name(const Desk& desk, const std::string& role, bool durable) {
  return (durable ? "desk-" : "watch-") + (desk.is_operator() ? "operators" : desk.agency) + "-" + role;
}

bool is_refused(const Desk& desk, wire::ErrorKind error) {
  const bool denied = error == wire::ErrorKind::denied;
  CHECK(denied != desk.is_operator());
  return denied;
}

Views Rounds::expected(const std::string& role, const std::string& agency,
                       const std::vector<Published>& among, const Since& since) const {
  Views all;
  for (const auto& each : among) {
    if (auto view = matrix_.shown(role, agency, each, since)) all.emplace(each.sequence, std::move(*view));
  }
  return all;
}

void Rounds::subscribe() {
  for (const auto& role : roles_) {
    for (const bool durable : {true, false}) {
      matrix_.ask_all(
          [&](const Desk& desk) {
            wire::SubscribeT frame;
            frame.name = desk_name(desk, role, durable);
            frame.role = role;
            frame.durable = durable;
            frame.credit = kCredit;
            return frame;
          },
          [&](const Desk& desk, const Arrived& answer) {
            INFO(desk.agency << " as " << role);
            matrix_.check_empty(answer.bytes);
            if (matrix_.may_use(desk, role)) {
              CHECK(answer.as<wire::SubscribedT>() != nullptr);
            } else {
              const auto* rejected = answer.as<wire::RejectedT>();
              REQUIRE(rejected != nullptr);
              CHECK(rejected->kind == wire::ErrorKind::denied);
            }
          });
    }
  }
}

void Rounds::read_deliveries(Desk& desk, std::map<std::string, Views>& seen) const {
  for (const auto& arrived : desk.peer.take_deliveries()) {
    const auto& deliver = *arrived.as<wire::DeliverT>();
    const auto role = std::ranges::find_if(roles_, [&](const std::string& each) {
      return deliver.subscription == desk_name(desk, each, true) ||
             deliver.subscription == desk_name(desk, each, false);
    });
    REQUIRE(role != roles_.end());
    matrix_.check_bytes(arrived.bytes, {*role}, desk.agency);
    for (const auto& each : deliver.deliveries) {
      CHECK(seen[deliver.subscription].emplace(each->sequence, values_in(each->view)).second);
    }
  }
}

void Rounds::deliveries() {
  for (auto& desk : matrix_.desks) {
    std::map<std::string, Views> wanted;
    for (const auto& role : roles_) {
      if (!matrix_.may_use(desk, role)) continue;
      auto views = expected(role, desk.agency, matrix_.taken);
      if (views.empty()) continue;
      for (const bool durable : {true, false}) wanted[desk_name(desk, role, durable)] = views;
    }
    std::map<std::string, Views> seen;
    const auto count = [](const std::map<std::string, Views>& all) {
      std::size_t views = 0;
      for (const auto& [name, shown] : all) views += shown.size();
      return views;
    };
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    // Behind the answer comes nothing that was due before the question.
    for (bool again = true; again;) {
      again = count(seen) < count(wanted) && std::chrono::steady_clock::now() < until;
      desk.peer.send(query(wire::QueryKind::status));
      matrix_.check_empty(desk.peer.answer().bytes);
      read_deliveries(desk, seen);
    }
    INFO(desk.agency);
    for (const auto& [name, shown] : wanted) {
      INFO(name);
      CHECK(difference(seen[name], shown) == "");
    }
    CHECK(count(seen) == count(wanted));
  }
}

void Rounds::timeline(const std::string& role, const Published& of, const Since& since) {
  matrix_.ask_all(
      [&](const Desk&) {
        auto frame = query(wire::QueryKind::timeline, role);
        frame.person = person_of(of);
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << " asks as " << role << " for the timeline of " << of.event.type);
        const auto* page = answer.as<wire::PageT>();
        REQUIRE(page != nullptr);
        const bool may = matrix_.may_use(desk, role);
        CHECK((page->error == wire::ErrorKind::denied) == !may);
        if (!may) {
          CHECK(page->rows.empty());
          return matrix_.check_empty(answer.bytes);
        }
        matrix_.check_bytes(answer.bytes, {role}, desk.agency, since);
        Views seen;
        for (const auto& row : page->rows) {
          if (row->kind == "event") seen.emplace(row->sequence, values_in(row->view));
        }
        CHECK(difference(seen, expected(role, desk.agency, {of}, since)) == "");
      });
}

void Rounds::replay(const std::string& role, event::EventType type) {
  // Whoever asks for events of a type is told of their cancels.
  std::vector<Published> among;
  std::ranges::copy_if(matrix_.taken, std::back_inserter(among), [type](const Published& each) {
    return each.event.type == event_type_name(type) ||
           each.event.at("correction.corrects") == event_type_name(type);
  });
  for (auto& desk : matrix_.desks) {
    wire::ReplayT frame;
    frame.role = role;
    frame.by = kBy;
    frame.reason = kReason;
    frame.first = matrix_.taken.front().sequence;
    frame.last = matrix_.taken.back().sequence;
    frame.filter = std::make_unique<ledger::FilterT>();
    frame.filter->types = {type};
    desk.peer.send(std::move(frame));
  }
  for (auto& desk : matrix_.desks) {
    INFO(desk.agency << " replays " << event_type_name(type) << " as " << role);
    const bool may = matrix_.may_use(desk, role);
    Views seen;
    for (bool last = false; !last;) {
      const auto answer = desk.peer.answer();
      const auto* replayed = answer.as<wire::ReplayedT>();
      REQUIRE(replayed != nullptr);
      last = replayed->last;
      CHECK((replayed->error == wire::ErrorKind::denied) == !may);
      if (may) {
        matrix_.check_bytes(answer.bytes, {role}, desk.agency);
      } else {
        matrix_.check_empty(answer.bytes);
      }
      for (const auto& each : replayed->deliveries) seen.emplace(each->sequence, values_in(each->view));
    }
    CHECK(difference(seen, may ? expected(role, desk.agency, among) : Views()) == "");
  }
}

void Rounds::explain(const std::string& role, const Published& of) {
  matrix_.ask_all(
      [&](const Desk&) {
        auto frame = query(wire::QueryKind::explain, role);
        frame.sequence = of.sequence;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << " asks what " << role << " sees of " << of.event.type);
        matrix_.check_empty(answer.bytes);
        const auto* page = answer.as<wire::PageT>();
        REQUIRE(page != nullptr);
        if (is_refused(desk, page->error) || !matrix_.policy.has_role(role)) {
          CHECK(page->error == (desk.is_operator() ? wire::ErrorKind::invalid : wire::ErrorKind::denied));
          CHECK(page->rows.empty());
          return;
        }
        std::size_t told = 0;
        for (const auto& row : page->rows) {
          const auto* rule = matrix_.policy.decides(role, matrix_.hub.agency(row->agency), of.event, today());
          if (row->kind == "agency") {
            ++told;
            CHECK(row->state == (rule == nullptr ? "withheld" : "shown"));
          } else if (row->kind == "field" && rule != nullptr) {
            INFO(row->path);
            const auto fate = fate_of(*rule, of.event, row->path);
            CHECK((row->state == "shown") == (fate == Fate::shown));
            CHECK((row->state == "coarsened") == (fate == Fate::coarsened));
          }
        }
        CHECK(told > 0);
      });
}

void Rounds::as_of(const std::string& role, const Published& of) {
  const auto& agencies = matrix_.hub.agencies();
  const auto holder = std::ranges::find_if(agencies, [&](const core::Agency& each) {
    return std::ranges::find(each.roles, role) != each.roles.end();
  });
  if (holder == agencies.end()) return;
  matrix_.ask_all(
      [&](const Desk&) {
        auto frame = query(wire::QueryKind::as_of);
        frame.person = person_of(of);
        frame.agency = holder->id;
        frame.at = kFarAheadUs;
        return frame;
      },
      [&](const Desk& desk, const Arrived& answer) {
        INFO(desk.agency << " asks what " << holder->id << " had been offered of " << of.event.type);
        const auto* page = answer.as<wire::PageT>();
        REQUIRE(page != nullptr);
        if (is_refused(desk, page->error)) return matrix_.check_empty(answer.bytes);
        matrix_.check_bytes(answer.bytes, holder->roles, holder->id);
        const bool has_view =
            std::ranges::any_of(page->rows, [](const auto& row) { return !row->view.empty(); });
        CHECK(has_view == std::ranges::any_of(holder->roles, [&](const std::string& each) {
                return matrix_.shown(each, holder->id, of).has_value();
              }));
      });
}

void Rounds::of_role_and_type(const std::string& role, event::EventType type) {
  const auto& ours = matrix_.example(type, 0);
  const auto& other = matrix_.example(type, ++variant_);
  timeline(role, ours);
  timeline(role, other);
  replay(role, type);
  explain(role, ours);
  explain(role, other);
  as_of(role, ours);
}

}  // namespace carehub::disclosure
