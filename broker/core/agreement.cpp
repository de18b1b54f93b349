#include "broker/core/agreement.hpp"

#include <algorithm>
#include <cstdio>

#include "broker/base/event_fields.hpp"
#include "broker/base/limits.hpp"

namespace carehub::core {
namespace {

using std::chrono::sys_days;

sys_days day_of(Timestamp at) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(at.us)));
}

/// Reads one table, and knows whether it found a fault in it.
class AgreementReader {
 public:
  explicit AgreementReader(ConfigTable& table) : table_(table) {}

  std::optional<Agreement> read() {
    agreement_.name = table_.text("name");
    good_ = good_ && !agreement_.name.empty();  // else a fault already
    if (agreement_.name.size() > limits::kNameBytesMax)
      fault("name", "name is too long.", "Give it 1 to " + std::to_string(limits::kNameBytesMax) + " bytes.");
    agreement_.parties = texts("parties", 2, kAgreementPartiesMax, "Name two agencies or more by their ids.");
    agreement_.signatories = texts("signatories", 1, kAgreementTextsMax, "Say who signed, and for whom.");
    agreement_.purposes = texts("purposes", 1, kAgreementTextsMax, "Say what the sharing is for.");
    const auto signed_on = date("signed");
    const auto from = date("from");
    const auto until = date("until");
    if (signed_on && from && until) {
      agreement_.signed_on = *signed_on;
      agreement_.from = *from;
      agreement_.until = *until;
      if (*from < *signed_on)
        fault("from", "the agreement begins before it was signed.", "Nothing is shared under it until then.");
      if (*until < *from) fault("until", "the agreement ends before it begins.", "Mend one of the dates.");
    }
    if (!good_) return std::nullopt;
    return std::move(agreement_);
  }

 private:
  void fault(std::string_view key, std::string text, std::string remedy) {
    table_.fault(key, std::move(text), std::move(remedy));
    good_ = false;
  }

  std::vector<std::string> texts(std::string_view key, std::size_t min, std::size_t max, const char* remedy) {
    auto texts = table_.texts(key);
    const auto unfit = [](const std::string& text) {
      return text.empty() || text.size() > limits::kReplacementBytesMax;
    };
    if (!table_.has(key)) {
      fault("", "the agreement has no `" + std::string(key) + "`.", remedy);
    } else if (texts.size() < min || texts.size() > max || std::ranges::any_of(texts, unfit)) {
      fault(key,
            "`" + std::string(key) + "` has too few or too many texts, or one that is empty or too long.",
            remedy);
    }
    return texts;
  }

  std::optional<sys_days> date(std::string_view key) {
    const auto text = table_.optional_scalar(key);
    if (!text) {
      if (!table_.has(key)) {
        fault("", "the agreement has no `" + std::string(key) + "` date.",
              "Add " + std::string(key) + " = 2026-04-01: what has no dates discloses nothing.");
      }
      good_ = false;
      return std::nullopt;
    }
    const auto date = parse_date(*text);
    if (!date || date->day() == 0) {
      fault(key, "`" + std::string(key) + "` is no whole date.", "Write 2026-04-01.");
      return std::nullopt;
    }
    return sys_days{std::chrono::year{date->year()} / date->month() / date->day()};
  }

  ConfigTable& table_;
  Agreement agreement_;
  bool good_ = true;
};

}  // namespace

bool Agreement::has_party(std::string_view agency) const {
  return !agency.empty() && std::ranges::find(parties, agency) != parties.end();
}

Standing standing_of(const Agreement& agreement, Timestamp at) {
  const auto day = day_of(at);
  if (day < agreement.from) return Standing::not_yet;
  return day <= agreement.until ? Standing::in_force : Standing::lapsed;
}

bool ends_soon(const Agreement& agreement, Timestamp at) {
  return agreement.until - day_of(at) < std::chrono::days{kAgreementWarningDays};
}

std::string end_text(const Agreement& agreement, Timestamp at) {
  const bool lapsed = standing_of(agreement, at) == Standing::lapsed;
  return "agreement " + agreement.name +
         (lapsed ? " lapsed on " + date_text(agreement.until + std::chrono::days{1})
                 : " ends on " + date_text(agreement.until));
}

std::string obstacle_text(const Agreement& agreement, Timestamp at) {
  const bool lapsed = standing_of(agreement, at) == Standing::lapsed;
  return "agreement " + agreement.name + (lapsed ? " has lapsed" : " is not yet in force");
}

std::string date_text(sys_days day) {
  const std::chrono::year_month_day date{day};
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

std::optional<Agreement> read_agreement(ConfigTable& table) { return AgreementReader(table).read(); }

}  // namespace carehub::core
