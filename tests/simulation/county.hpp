#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/rules.hpp"
#include "schemas/wire_generated.h"

/// The county that is simulated: who publishes, who subscribes, and, by a table of the simulator's own, who
/// gets what.
namespace carehub::simulation {

class Dice;

/// What becomes of a publication, whatever happens on the way.
enum class Fate : std::uint8_t {
  kept,
  refused,   // it is wrong in itself
  not_kept,  // out of its channel's scope
};

/// How a receiver takes an event each time it is shown it.
enum class Taste : std::uint8_t { good, failing, rejected, poison };

constexpr std::size_t kInterests = 6;

/// One message of a publisher.
struct Publication {
  std::size_t number = 0;
  int publisher = 0;
  std::string id;
  event::EventType type = event::EventType::admission;
  int child = 0;
  int tier = 0;
  std::string school;
  int rank = 2;                                   // 0 an emergency, 1 urgent
  std::vector<int> names;                         // of a link or merge: the children that are one, it says,
  bool taken_back = false;                        // or that are not so after all
  std::optional<event::ConsentDecision> consent;  // that it says
  Fate fate = Fate::kept;
  wire::OnReuse on_reuse = wire::OnReuse::conflict;
  Bytes event;
  std::array<Taste, kInterests> taste{};  // by interest
  std::optional<std::size_t> only_for;    // the interest whose dead letter it mends
  Sequence mends = 0;
};

enum class Due : std::uint8_t { nothing, withheld, offered };

/// What a filter asks for; an empty set means any.
struct Wants {
  std::set<event::EventType> types;
  std::set<int> tiers;
  std::set<std::string> schools;

  bool operator==(const Wants&) const = default;
};
Wants wants_of(const ledger::Filter* filter);
ledger::FilterT filter_of(const Wants& wants);
bool matches(const Wants& wants, const Publication& publication);

/// Who reads: a role of an agency.
struct Reader {
  const char* agency;
  const char* role;
};
constexpr Reader kDuty{"northmarch-council", "social-care-duty"};
constexpr Reader kCommissioner{"march-commissioner", "tier4-case-manager"};
constexpr Reader kAuditor{"", "auditor"};

/// Which of the county's policies: today's, or the one that it changes to and from.
constexpr int kPolicies = 2;
const std::string& policy_text(int policy);
/// Whether the policy shows it to the reader at all.
/// `refused`: the newest word on consent that was known when it was decided.
bool may_see(const Reader& reader, const Publication& publication, int policy, bool refused);
/// What of it an agency's own filter may look at, so that a filter finds out nothing: what its role is shown.
Publication as_shown(const Publication& publication, const Reader& reader);
/// What is in a view that the reader may not see; nullptr: nothing.
const char* leak_to(const Reader& reader, const event::Event& view, int policy);

/// A subscription as the simulator knows it.
struct Interest {
  std::size_t number;
  const char* name;
  Reader reader;
  bool honest;               // its reader answers for what it was shown, and nothing else
  std::vector<Wants> wants;  // that it may have; of a configured one, those of its channel
  bool replay = false;       // a replay into a subscription; then `number` is that one's
};

/// Whose channel hub.toml may have.
enum InterestNumber : std::size_t { kDesk, kHolm, kTier4, kFlags, kPriory, kNight };

const std::array<Interest, kInterests>& interests();
const Interest* interest_named(const std::string& name);

/// What a receiver says why it does not take something.
constexpr const char* kReceiversCode = "simulated";
/// Likewise, of what it remembers from before.
constexpr const char* kOldCode = "simulated-before";

/// After how many failures an event is given up.
constexpr std::uint32_t kAttemptsConfigured = 4;
constexpr std::uint32_t kAttemptsUsual = 8;

struct PublisherDesk {
  const char* agency;
  const char* channel;
};
const std::array<PublisherDesk, 2>& publisher_desks();

/// What hub.toml says when the hub starts.
struct Setup {
  int policy = 0;
  std::size_t tier4_wants = 0;
  bool holm = true;    // its channel is there
  bool night = false;  // likewise
  core::StartAt night_start;
  std::array<std::uint32_t, kInterests> rates{};  // a minute; 0: no limit
};
core::HubRules rules_of_county(const Setup& setup);

/// What a publisher says next.
struct Draft {
  int publisher = 0;
  std::string id;
  event::EventType type = event::EventType::admission;
  int child = 1;
  int tier = 4;
  event::Urgency urgency = event::Urgency::unknown;
  bool danger = false;  // of a flag: at once
  int other = 0;        // of a link or merge: the child that is the same
  bool taken_back = false;
  std::optional<event::ConsentDecision> consent;
  bool adult = false;   // out of scope
  bool absurd = false;  // not to be accepted, and it names nobody
  bool broken = false;  // not to be accepted
  std::string content;  // what else tells two contents apart
};
Publication write_publication(const Draft& draft);
/// As many say yes again as say no.
event::ConsentDecision some_consent(Dice& dice);

constexpr int kChildren = 6;
/// Whom a message names, whoever sent it; 0: none of these.
int child_named_in(const Bytes& message);

}  // namespace carehub::simulation
