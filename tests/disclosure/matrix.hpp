#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/disclosure/watched_hub.hpp"

/// A county in which everybody may do something else, and the question who may see what of which event there.
namespace carehub::disclosure {

/// One rule's worth of everything that a policy can say.
PolicyModel county_policy();
std::vector<core::Agency> county_agencies();
/// Those of the policy, and one that agencies hold and no rule names.
std::vector<std::string> county_roles();
std::vector<event::EventType> all_types();

/// An event that the hub took, or refused.
struct Published {
  MarkedEvent event;
  std::string by;
  Sequence sequence = 0;  // 0: refused
};

/// What came to be known of an event's child behind it.
struct Since {
  Sequence sequence = 0;                 // the event; 0: nothing
  Said said = {};                        // that counts, the event's own included; empty: that alone
  std::set<std::string> broken_by = {};  // agencies that broke the glass, in the role that is asked about
};

/// Somebody who is connected.
struct Desk {
  std::string agency;  // empty: an operator
  WirePeer peer;
  bool is_operator() const { return agency.empty(); }
};

/// The hub, one desk for each agency and one for an operator, all connected in one way, and what was
/// published.
class Matrix {
 public:
  explicit Matrix(Way way);

  /// Everybody tries to publish each type.
  void publish();

  /// Whether this desk may subscribe and ask in the role.
  bool may_use(const Desk& desk, const std::string& role) const;
  /// What the role of this agency is shown of it; nothing: all is withheld.
  std::optional<Values> shown(const std::string& role, const std::string& agency, const Published& published,
                              const Since& since = {}) const;
  /// Fails where the bytes hold a value of any event that none of these roles of the agency is shown.
  void check_bytes(const Bytes& bytes, const std::vector<std::string>& roles, const std::string& agency,
                   const Since& since = {}) const;
  /// Fails where they hold any value of any event.
  void check_empty(const Bytes& bytes) const { check_bytes(bytes, {}, ""); }
  /// The event of a type that a child of the county's own agencies is about; `variant` chooses among the
  /// others.
  const Published& example(event::EventType type, std::size_t variant) const;

  /// Sends each desk's frame, then has each answer judged.
  using Judge = std::function<void(Desk&, const Arrived&)>;
  template <class Make>
  void ask_all(Make make, const Judge& judge) {
    for (auto& desk : desks) desk.peer.send(make(desk));
    for (auto& desk : desks) judge(desk, desk.peer.answer());
  }

  PolicyModel policy = county_policy();
  WatchedHub hub;
  std::vector<Desk> desks;
  std::vector<Published> taken;

 private:
  const ModelRule* decides(const std::string& role, const std::string& agency, const Published& published,
                           const Since& since) const;
  void publish_as(Desk& desk, std::vector<Published> events);

  EventMaker maker_{17};
  std::vector<Published> all_;  // refused ones, too
  Traces traces_;
};

}  // namespace carehub::disclosure
