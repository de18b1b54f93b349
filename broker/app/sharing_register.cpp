#include "broker/app/sharing_register.hpp"

#include <algorithm>
#include <ostream>

#include "broker/app/configuration.hpp"
#include "broker/app/csv_line.hpp"
#include "broker/app/table.hpp"

namespace carehub::app {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kOperators = "operators";

const char* word_of(core::Coarsening how) {
  switch (how) {
    case core::Coarsening::to_date: return "its day";
    case core::Coarsening::to_month: return "its month";
    case core::Coarsening::to_year: return "its year";
    case core::Coarsening::to_district: return "its postcode district";
    case core::Coarsening::pseudonymised: return "a pseudonym";
    case core::Coarsening::replaced: return "a fixed text";
  }
  return "coarsened";
}

std::string joined(const Words& words, const char* between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string ages_of(const core::DisclosureRule& rule) {
  const auto text = [](std::uint8_t years) { return std::to_string(years); };
  if (!rule.age_max_years) return "from " + text(*rule.age_min_years) + " years";
  return text(rule.age_min_years.value_or(0)) + " to " + text(*rule.age_max_years) + " years";
}

const char* word_of(core::Relationship relationship) {
  switch (relationship) {
    case core::Relationship::pupil: return "its pupils";
    case core::Relationship::patient: return "its patients";
    case core::Relationship::resident: return "its residents";
    case core::Relationship::referral: return "an open referral from or to it";
    case core::Relationship::key_worker: return "its key worker's children";
  }
  return "";
}

/// Empty where the rule asks what is usual: that consent is not refused.
std::string consent_of(const core::DisclosureRule& rule) {
  const auto scopes =
      rule.consent_scopes.empty() ? std::string() : " to " + joined(rule.consent_scopes, ", ");
  switch (rule.consent) {
    case core::ConsentNeed::overridden: return "whatever consent says";
    case core::ConsentNeed::not_refused: return scopes.empty() ? "" : "consent" + scopes + " not refused";
    case core::ConsentNeed::given: return "consent" + scopes + " given";
  }
  return {};
}

/// The conditions that say which children, in brackets; empty where it is any.
std::string children_of(const core::DisclosureRule& rule) {
  Words words;
  Words relations;
  for (const auto one : rule.relationships) relations.emplace_back(word_of(one));
  if (!relations.empty()) words.push_back(joined(relations, " or "));
  if (!rule.home_authorities.empty()) words.push_back("at home in " + joined(rule.home_authorities, ", "));
  if (rule.break_glass_minutes)
    words.push_back("glass broken, for " + std::to_string(*rule.break_glass_minutes) + " minutes at most");
  if (const auto consent = consent_of(rule); !consent.empty()) words.push_back(consent);
  Words tiers;
  for (const auto tier : rule.tiers) tiers.push_back(std::to_string(tier));
  if (!tiers.empty()) words.push_back("tier " + joined(tiers, ", "));
  if (rule.has_ages()) words.push_back(ages_of(rule));
  return words.empty() ? "" : "(" + joined(words, "; ") + ")";
}

Words events_of(const core::DisclosureRule& rule) {
  Words words;
  for (const auto type : rule.types) words.emplace_back(event_type_name(type));
  if (auto children = children_of(rule); !children.empty()) words.push_back(std::move(children));
  return words;
}

Words fields_of(const core::DisclosureRule& rule) {
  Words words;
  for (const auto& path : rule.show) words.push_back(path.text());
  for (const auto& coarsened : rule.coarsen)
    words.push_back(coarsened.path.text() + " (" + word_of(coarsened.how) + ")");
  return words;
}

bool may_share(const core::Agency& agency, const core::DisclosureRule& rule,
               const core::Agreement* agreement) {
  if (agreement != nullptr && !agreement->has_party(agency.id)) return false;
  return std::ranges::find_first_of(agency.may_publish, rule.types) != agency.may_publish.end();
}

bool holds_role(const core::Agency& agency, const core::DisclosureRule& rule) {
  return std::ranges::find(agency.roles, rule.role) != agency.roles.end();
}

/// One line for each of a cell's words, the others of the line empty.
void add_lines(const std::vector<Words>& cells, std::vector<Words>& rows) {
  std::size_t lines = 1;
  for (const auto& cell : cells) lines = std::max(lines, cell.size());
  for (std::size_t line = 0; line < lines; ++line) {
    Words row;
    for (const auto& cell : cells) row.push_back(line < cell.size() ? printable(cell[line]) : "");
    rows.push_back(std::move(row));
  }
}

std::string receiver_of(const Sharing& sharing) { return sharing.with.empty() ? kOperators : sharing.with; }

void print_lines(const std::vector<Sharing>& sharings, std::ostream& out) {
  std::vector<Words> rows;
  for (const auto& one : sharings) {
    Words why = one.purposes;
    why.push_back(one.legal_basis);
    add_lines({one.from,
               one.events,
               one.fields,
               {receiver_of(one), "as " + one.role},
               why,
               {one.agreement},
               {one.until}},
              rows);
  }
  print_table(out, {"from", "events", "fields", "with", "why", "agreement", "until"}, rows);
}

void print_csv(const std::vector<Sharing>& sharings, std::ostream& out) {
  CsvLine header;
  for (const auto* name :
       {"rule", "from", "events", "fields", "with", "role", "purposes", "legal_basis", "agreement", "until"})
    header.add(name);
  out << header.text() << "\r\n";
  for (const auto& one : sharings) {
    CsvLine line;
    line.add(one.rule).add(joined(one.from, "; ")).add(joined(one.events, "; "));
    line.add(joined(one.fields, "; ")).add(receiver_of(one)).add(one.role);
    line.add(joined(one.purposes, "; ")).add(one.legal_basis).add(one.agreement).add(one.until);
    out << line.text() << "\r\n";
  }
}

}  // namespace

std::vector<Sharing> sharing_register(const server::HubConfig& config) {
  std::vector<Sharing> sharings;
  for (const auto& rule : config.policy.rules()) {
    const auto* agreement = rule.agreement.empty() ? nullptr : config.policy.agreement(rule.agreement);
    Sharing sharing;
    sharing.rule = rule.name;
    sharing.events = events_of(rule);
    sharing.fields = fields_of(rule);
    sharing.role = rule.role;
    sharing.legal_basis = rule.legal_basis;
    sharing.agreement = rule.agreement;
    if (agreement != nullptr) {
      sharing.purposes = agreement->purposes;
      sharing.until = core::date_text(agreement->until);
    }
    for (const auto& agency : config.rules.agencies) {
      if (may_share(agency, rule, agreement)) sharing.from.push_back(agency.id);
    }
    bool held = false;
    for (const auto& agency : config.rules.agencies) {
      if (!holds_role(agency, rule)) continue;
      held = true;
      if (agreement != nullptr && !agreement->has_party(agency.id)) continue;
      sharing.with = agency.id;
      sharings.push_back(sharing);
    }
    // An operator is party to no agreement.
    if (!held && agreement == nullptr) sharings.push_back(sharing);
  }
  return sharings;
}

ExitCode policy_register(const PolicyRegisterOptions& options, Surroundings& surroundings) {
  const auto configuration = read_configuration(options.config);
  if (!configuration.faults.empty()) {
    print_faults(configuration.faults, surroundings.err);
    return ExitCode::wrong_input;
  }
  const auto sharings = sharing_register(configuration.hub);
  options.csv ? print_csv(sharings, surroundings.out) : print_lines(sharings, surroundings.out);
  surroundings.out << std::flush;
  return ExitCode::ok;
}

}  // namespace carehub::app
