#include "broker/care/report.hpp"

#include <algorithm>
#include <array>

#include "broker/base/event_fields.hpp"
#include "broker/care/report_paths.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/refused_questions.hpp"
#include "broker/core/repeats.hpp"

namespace carehub::care {
namespace {

constexpr std::int64_t kMinuteS = 60;
constexpr std::int64_t kHourS = 60 * kMinuteS;
constexpr std::int64_t kDayS = 24 * kHourS;

struct Band {
  std::int64_t most;
  const char* name;  // numbered, so that they stand in order wherever they are sorted
};
constexpr std::array<Band, 10> kLagBands = {{{1, "01 within 1 second"},
                                             {10, "02 within 10 seconds"},
                                             {kMinuteS, "03 within 1 minute"},
                                             {10 * kMinuteS, "04 within 10 minutes"},
                                             {kHourS, "05 within 1 hour"},
                                             {4 * kHourS, "06 within 4 hours"},
                                             {kDayS, "07 within 1 day"},
                                             {3 * kDayS, "08 within 3 days"},
                                             {7 * kDayS, "09 within 7 days"},
                                             {28 * kDayS, "10 within 28 days"}}};
constexpr const char* kLagLonger = "11 longer";
constexpr const char* kLagAhead = "12 said to be later than its receipt";
constexpr const char* kLagCoarse = "13 known to the hour or the day";
constexpr const char* kLagUnsaid = "14 not said";

constexpr std::array<Band, 8> kWaitBands = {{{7, "1 within 7 days"},
                                             {14, "2 within 14 days"},
                                             {28, "3 within 28 days"},
                                             {42, "4 within 6 weeks"},
                                             {84, "5 within 12 weeks"},
                                             {126, "6 within 18 weeks"},
                                             {182, "7 within 26 weeks"},
                                             {364, "8 within 52 weeks"}}};
constexpr const char* kWaitLonger = "9 longer";
constexpr const char* kWaitUnknown = "referral not on record";

constexpr std::string_view kNotPlain = "(another form)";
constexpr std::string_view kRefused = "(refused)";
constexpr std::string_view kWatches = "(watches)";

template <std::size_t N>
const char* band_of(const std::array<Band, N>& bands, std::int64_t value, const char* longer) {
  const auto found = std::ranges::find_if(bands, [&](const Band& band) { return value <= band.most; });
  return found == bands.end() ? longer : found->name;
}

std::string_view view_of(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : text->string_view();
}

/// A code that a partner chose: what is no word of letters could name somebody, and a report is never erased.
std::string_view plain(std::string_view code) {
  constexpr std::size_t kBytesMax = 48;
  constexpr std::ptrdiff_t kDigitsMax = 4;
  const auto is_digit = [](char each) { return each >= '0' && each <= '9'; };
  const auto fits = [&](char each) {
    return is_digit(each) || (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || each == '_' ||
           each == '-' || each == '.';
  };
  const bool word = !code.empty() && code.size() <= kBytesMax && std::ranges::all_of(code, fits) &&
                    std::ranges::count_if(code, is_digit) <= kDigitsMax;
  return word ? code : kNotPlain;
}

/// Whom a delivery goes to: a replay's receiver is its subscription's, and a watch has no lasting name.
std::string_view receiver_of(std::string_view subscription) {
  if (subscription.starts_with(core::kWatchMark)) return kWatches;
  return core::is_replay_name(subscription) ? subscription.substr(0, subscription.find('/')) : subscription;
}

std::uint64_t size_of(const ledger::Range& range) {
  return range.last() < range.first() ? 0 : range.last() - range.first() + 1;
}

std::uint64_t size_of(const flatbuffers::Vector<const ledger::Range*>* ranges) {
  std::uint64_t size = 0;
  if (ranges == nullptr) return size;
  for (const auto* range : *ranges) size += size_of(*range);
  return size;
}

}  // namespace

Result<Sequence> report_row(const RowReads& rows, const std::string& name) {
  const auto row = rows.get(row_keys::report(name));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return Sequence{0};
  RowReader reader(**row);
  const auto sequence = reader.number<Sequence>();
  if (!reader.ok()) return fail(ErrorKind::corrupt, "a report's row is cut short: run carehub rebuild");
  return sequence;
}

void fold_report(Sequence sequence, const ledger::Report& report, Rows& rows) {
  rows.put(row_keys::report(view_of(report.name())), RowWriter().number(sequence).take());
}

Report::Report(const PastReader& past, wire::QueryT query) : past_(past), query_(std::move(query)) {}

Result<bool> Report::advance() {
  if (phase_ == Phase::begins) {
    if (auto begun = begin(); !begun) return tl::unexpected(begun.error());
    phase_ = Phase::counts;
    return false;
  }
  if (phase_ == Phase::erasures) return look_for_erasures();
  auto counted = count();
  if (!counted || !*counted) return counted;
  if (auto ended = end_count(); !ended) return tl::unexpected(ended.error());
  if (phase_ == Phase::erasures) return false;
  return true;
}

Result<void> Report::begin() {
  const auto* definition = core::report_definition(query_.size);
  quarter_ = core::quarter_of({query_.first_at});
  if (definition == nullptr || quarter_.from().us != query_.first_at)
    return fail(ErrorKind::invalid, "a report is of a whole quarter, by a definition that there is");
  definition_ = *definition;
  through_ = past_.ledger().head();
  auto first = past_.first_since(quarter_.from());
  if (!first) return tl::unexpected(first.error());
  next_ = *first;
  return {};
}

Result<bool> Report::count() {
  looked_ = 0;
  const auto entries = past_.ledger().read(next_, kLooksOfPart, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& sealed : *entries) {
    const auto& header = sealed.header;
    if (header.sequence > through_ || header.appended_at >= quarter_.until()) return true;
    if (auto taken = take(sealed); !taken) return tl::unexpected(taken.error());
    next_ = header.sequence + 1;
    if (++looked_ >= kLooksOfPart) break;
  }
  return entries->empty();
}

Result<void> Report::take(const storage::SealedEntry& sealed) {
  using storage::EntryKind;
  const auto kind = sealed.header.kind;
  tally_.add("entries", storage::to_string(kind), "");
  if (kind == EntryKind::event) return take_event(sealed);
  const auto body = past_.body(sealed);
  if (!body) return tl::unexpected(body.error());
  if (body->empty()) {
    tally_.add("erased", storage::to_string(kind), "");
    return {};
  }
  take_body(*flatbuffers::GetRoot<ledger::Body>(body->data()));
  return {};
}

Result<void> Report::take_event(const storage::SealedEntry& sealed) {
  auto opened = past_.open(sealed);
  if (!opened) return tl::unexpected(opened.error());
  if (!*opened) {
    tally_.add("erased", storage::to_string(sealed.header.kind), "");
    return {};
  }
  const auto& past = **opened;
  const auto* type = event_type_name(past.event->type());
  if (past.mends != 0) {
    tally_.add("stand_ins", type, past.agency);
    return {};
  }
  tally_.add("events", type, past.agency);
  for (const auto mark : past.marks) tally_.add("marked", ledger::EnumNameMark(mark), past.agency);
  take_lag(past);
  return take_paths(past);
}

void Report::take_lag(const PastEvent& past) {
  const auto* occurred = past.event->occurred_at();
  if (occurred == nullptr || occurred->precision() == event::TimePrecision::unknown) {
    tally_.add("lag", kLagUnsaid, "");
  } else if (occurred->precision() < event::TimePrecision::minute) {
    tally_.add("lag", kLagCoarse, "");
  } else if (const auto lag_us = past.appended_at.us - occurred->utc_us(); lag_us < 0) {
    tally_.add("lag", kLagAhead, "");
  } else {
    // Up to a second is up to a second: what is left over counts as one more.
    const auto seconds = (lag_us + kSecondUs - 1) / kSecondUs;
    tally_.add("lag", band_of(kLagBands, seconds, kLagLonger), "");
    spreads_[{"lag_seconds", past.agency}].add(static_cast<std::uint64_t>(seconds));
  }
}

Result<void> Report::take_paths(const PastEvent& past) {
  if (begins_path(*past.event)) tally_.add("conversion", "referrals", past.agency);
  if (is_enquiry(*past.event)) {
    const auto conversion = conversion_of(past_, past);
    if (!conversion) return tl::unexpected(conversion.error());
    looked_ += conversion->looked;
    if (conversion->found == Conversion::Found::referral)
      tally_.add("conversion", "enquiries", conversion->agency);
    if (conversion->found == Conversion::Found::nothing)
      tally_.add("conversion", "enquiries, referral not on record", past.agency);
  }
  if (!ends_wait(*past.event)) return {};
  const auto wait = wait_of(past_, past, definition_);
  if (!wait) return tl::unexpected(wait.error());
  looked_ += wait->looked;
  if (wait->first_help) take_wait("first_help", past.agency, wait->days);
  if (wait->treatment) take_wait("treatment", past.agency, wait->days);
  return {};
}

void Report::take_wait(const char* group, const std::string& agency, std::optional<std::uint64_t> days) {
  if (!days) {
    tally_.add(group, kWaitUnknown, agency);
    return;
  }
  tally_.add(group, band_of(kWaitBands, static_cast<std::int64_t>(*days), kWaitLonger), agency);
  spreads_[{std::string(group) + "_days", agency}].add(*days);
}

void Report::take_body(const ledger::Body& body) {
  if (const auto* refusal = body.entry_as_Refusal()) take_refusal(*refusal);
  if (const auto* offered = body.entry_as_Offered()) take_offered(*offered);
  if (const auto* action = body.entry_as_OperatorAction()) take_action(*action);
  if (const auto* acked = body.entry_as_Acked())
    tally_.add("acknowledged", "", receiver_of(view_of(acked->subscription())), size_of(acked->ranges()));
  if (const auto* withheld = body.entry_as_Withheld())
    tally_.add("withheld", view_of(withheld->rule()), view_of(withheld->role()), size_of(withheld->ranges()));
  if (const auto* dead = body.entry_as_DeadLetter())
    tally_.add("dead_letters", plain(view_of(dead->code())), receiver_of(view_of(dead->subscription())));
  if (const auto* access = body.entry_as_Access()) take_question(*access);
}

/// Whoever is refused may have typed anything as the role.
void Report::take_question(const ledger::Access& access) {
  const auto verb = view_of(access.verb());
  const auto role = view_of(access.role());
  if (verb.starts_with(core::kRefusedVerb)) return tally_.add("questions", verb, kRefused);
  tally_.add("questions", verb, role.empty() ? role : plain(role));
}

void Report::take_refusal(const ledger::Refusal& refusal) {
  tally_.add("refusals", plain(view_of(refusal.code())), view_of(refusal.agency()));
}

/// A further attempt is the same disclosure.
void Report::take_offered(const ledger::Offered& offered) {
  if (offered.runs() == nullptr) return;
  const bool again = offered.late() || core::is_replay_name(view_of(offered.subscription()));
  std::uint64_t shown = 0;
  for (const auto* run : *offered.runs()) {
    if (run->range() != nullptr && run->attempt() <= 1) shown += size_of(*run->range());
  }
  if (shown == 0) return;
  tally_.add(again ? "disclosures_again" : "disclosures", view_of(offered.legal_basis()),
             view_of(offered.role()), shown);
}

void Report::take_action(const ledger::OperatorAction& action) {
  const auto done = view_of(action.action());
  if (done == core::kRepeatsAction) {
    for (const auto& each : core::parse_repeats(view_of(action.detail())))
      tally_.add("repeats", each.channel, each.agency, each.count);
  }
  const auto receiver = receiver_of(view_of(action.subscription()));
  if (done == core::kSendAgainAction) tally_.add("dead_letters_handled", "sent again", receiver);
  if (done == core::kDiscardAction) tally_.add("dead_letters_handled", "discarded", receiver);
  if (done == core::kMendAction) tally_.add("dead_letters_handled", "mended", receiver);
}

void Report::add_spreads() {
  constexpr std::array<std::pair<std::uint64_t, const char*>, 3> kPercents = {
      {{50, "1 half, at most"}, {90, "2 nine in ten, at most"}, {95, "3 nineteen in twenty, at most"}}};
  for (const auto& [whose, spread] : spreads_) {
    tally_.add(whose.first, core::kOfHowMany, whose.second, spread.count());
    for (const auto& [percent, name] : kPercents)
      tally_.add(whose.first, name, whose.second, spread.at_percent(percent));
    tally_.add(whose.first, "4 longest", whose.second, spread.longest());
  }
  constexpr std::uint64_t kMille = 1000;
  for (const auto& figure : tally_.figures()) {
    if (figure.group != "conversion" || figure.name != "referrals") continue;
    tally_.add("conversion_per_mille", "enquiries", figure.by,
               tally_.of("conversion", "enquiries", figure.by) * kMille / figure.value);
  }
}

void Report::add_row(const char* kind, const core::Figure& figure) {
  auto row = std::make_unique<wire::RowT>();
  row->kind = kind;
  row->state = figure.group;
  row->text = figure.name;
  row->agency = figure.by;
  row->pending = figure.value;
  page_.rows.push_back(std::move(row));
}

Result<void> Report::end_count() {
  add_spreads();
  // As the entry would have them, so that what is compared was written in the same way.
  auto figures = core::parse_figures(core::figures_text(tally_.figures()));
  if (!figures) return tl::unexpected(figures.error());
  figures_ = std::move(*figures);
  const auto name = core::report_name(quarter_, definition_.number);
  auto head = std::make_unique<wire::RowT>();
  head->kind = "report";
  head->text = name;
  head->since = quarter_.from().us;
  head->occurred_at = quarter_.until().us;
  head->pending = through_;
  head->policy_version = definition_.number;
  const bool over = query_.at >= quarter_.until().us;
  head->state = over ? "first" : "provisional";
  page_.rows.push_back(std::move(head));
  for (const auto& figure : figures_) add_row("figure", figure);
  if (!over) return {};
  auto made = report_row(past_.rows(), name);
  if (!made) return tl::unexpected(made.error());
  if (*made == 0) return {};
  page_.rows.front()->sequence = *made;
  return compare();
}

Result<void> Report::compare() {
  auto& head = *page_.rows.front();
  const auto entry = "entry " + std::to_string(head.sequence);
  const auto entries = past_.ledger().read(head.sequence, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  const auto body = entries->empty() ? Result<Bytes>(Bytes()) : past_.body(entries->front());
  if (!body) return tl::unexpected(body.error());
  const auto* report =
      body->empty() ? nullptr : flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_Report();
  if (report == nullptr)
    return fail(ErrorKind::corrupt, entry + " should hold a report and does not: run carehub audit verify");
  auto then = core::parse_figures(view_of(report->figures()));
  if (!then) return fail(ErrorKind::corrupt, entry + ": " + then.error().text);
  head.state = "again";
  head.appended_at = entries->front().header.appended_at.us;
  head.by = view_of(report->by());
  head.reason = view_of(report->reason());
  // What there is none of is 0, then and now.
  std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::uint64_t, std::uint64_t>> both;
  for (const auto& was : *then) both[{was.group, was.name, was.by}].first = was.value;
  for (const auto& now : figures_) both[{now.group, now.name, now.by}].second = now.value;
  const auto rows = page_.rows.size();
  for (const auto& [place, values] : both) {
    if (values.first != values.second)
      add_row("difference", {std::get<0>(place), std::get<1>(place), std::get<2>(place), values.first});
  }
  if (page_.rows.size() == rows) return {};
  phase_ = Phase::erasures;
  next_ = report->through() + 1;
  return {};
}

/// What was erased since the figures were first made.
Result<bool> Report::look_for_erasures() {
  const auto entries = past_.ledger().read(next_, kScanEntries, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  auto& head = *page_.rows.front();
  for (const auto& sealed : *entries) {
    next_ = sealed.header.sequence + 1;
    if (sealed.header.kind != storage::EntryKind::erasure) continue;
    if (++head.dead_letters > kErasuresNamedMax) continue;
    auto row = std::make_unique<wire::RowT>();
    row->kind = "erasure";
    row->sequence = sealed.header.sequence;
    row->appended_at = sealed.header.appended_at.us;
    page_.rows.push_back(std::move(row));
  }
  return entries->empty();
}

}  // namespace carehub::care
