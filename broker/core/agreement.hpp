#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/config_reader.hpp"

/// Agreements between agencies on sharing, as a policy names them ([[agreement]]).
namespace carehub::core {

/// Dates are whole days in UTC: it is in force from the first moment of `from` to the last of `until`.
struct Agreement {
  std::string name;
  std::vector<std::string> parties;      // ids of agencies
  std::vector<std::string> signatories;  // who signed, and for whom
  std::vector<std::string> purposes;
  std::chrono::sys_days signed_on;
  std::chrono::sys_days from;
  std::chrono::sys_days until;

  bool has_party(std::string_view agency) const;
};

enum class Standing : std::uint8_t { not_yet, in_force, lapsed };

Standing standing_of(const Agreement& agreement, Timestamp at);

/// Whether it has lapsed, or lapses within so many days that operators are told.
bool ends_soon(const Agreement& agreement, Timestamp at);

/// "agreement NAME ends on 2027-03-31", or "agreement NAME lapsed on 2027-04-01".
std::string end_text(const Agreement& agreement, Timestamp at);

/// "agreement NAME has lapsed", or "agreement NAME is not yet in force": why it lets nothing through.
std::string obstacle_text(const Agreement& agreement, Timestamp at);

/// 2027-03-31
std::string date_text(std::chrono::sys_days day);

/// Reads one [[agreement]]; nullopt where it has a fault, which goes into its document.
std::optional<Agreement> read_agreement(ConfigTable& table);

constexpr int kAgreementWarningDays = 60;
constexpr std::size_t kAgreementsMax = 1'000;
constexpr std::size_t kAgreementPartiesMax = 10'000;
constexpr std::size_t kAgreementTextsMax = 1'000;  // signatories, or purposes

}  // namespace carehub::core
