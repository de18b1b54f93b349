#pragma once

#include <optional>
#include <string>

#include "broker/care/past_reader.hpp"
#include "broker/core/report_figures.hpp"

/// What an event ended or began, for the figures of a report: looked for among what came of the same child
/// before, back from one entry to the one before, a bounded way.
namespace carehub::care {

/// What makes something an enquiry, and where a path of care begins.
bool begins_path(const event::Event& event);
bool is_enquiry(const event::Event& event);

/// A referral that led to an enquiry.
struct Conversion {
  enum class Found : std::uint8_t { referral, counted_before, nothing } found = Found::nothing;
  std::string agency;      // that referred
  std::size_t looked = 0;  // entries
};
Result<Conversion> conversion_of(const PastReader& past, const PastEvent& enquiry);

/// How long a child waited for what a referral update tells of.
struct Wait {
  bool first_help = false;            // it is the first assessment or intervention of its referral
  bool treatment = false;             // it is where treatment began
  std::optional<std::uint64_t> days;  // whole ones since the referral; nullopt: that is not on record
  std::size_t looked = 0;
};
/// Whether an update ends a wait.
bool ends_wait(const event::Event& event);
Result<Wait> wait_of(const PastReader& past, const PastEvent& update,
                     const core::ReportDefinition& definition);

constexpr std::size_t kPathEntriesMax = 256;  // looked at for one event
constexpr std::int64_t kEnquiryDays = 90;

}  // namespace carehub::care
