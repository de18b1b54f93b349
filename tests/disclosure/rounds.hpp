#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/disclosure/matrix.hpp"

namespace carehub::disclosure {

constexpr const char* kBy = "A Tester";
constexpr const char* kReason = "the matrix";

wire::QueryT query(wire::QueryKind kind, const std::string& role = {});

/// A child by its number; a unit, which has none, by the entry.
std::string person_of(const Published& published);

std::string desk_name(const Desk& desk, const std::string& role, bool durable);

/// Whether an answer refuses what only operators may ask: every agency's does, no operator's.
bool is_refused(const Desk& desk, wire::ErrorKind error);

using Views = std::map<Sequence, Values>;

/// Everything that is asked and done over one way into the hub.
class Rounds {
 public:
  explicit Rounds(Way way) : matrix_(way) {}

  void subscribe();
  void publish() { matrix_.publish(); }
  void deliveries();
  void of_role_and_type(const std::string& role, event::EventType type);
  void of_type(event::EventType type);
  void of_role(const std::string& role);
  void of_desk();
  /// Glass is broken for children of each type, and children are marked: what is told of them changes. Last.
  void protect();

 private:
  Views expected(const std::string& role, const std::string& agency, const std::vector<Published>& among,
                 const Since& since = {}) const;
  void read_deliveries(Desk& desk, std::map<std::string, Views>& seen) const;
  void timeline(const std::string& role, const Published& of, const Since& since = {});
  void replay(const std::string& role, event::EventType type);
  void explain(const std::string& role, const Published& of);
  void as_of(const std::string& role, const Published& of);
  void change_policy();
  void back_up();
  void replay_into();
  void break_glass(const std::string& role, const Published& of);
  void tell_door();
  void mark(const Published& of, bool lift);
  void cosign(const std::string& checkpoint);

  Matrix matrix_;
  std::vector<std::string> roles_ = county_roles();
  std::size_t variant_ = 0;  // of the events that are asked about, besides the county's own
};

}  // namespace carehub::disclosure
