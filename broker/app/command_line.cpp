#include "broker/app/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace carehub::app {

CLI::App* add(CLI::App& program, const char* name, const char* description, const char* example) {
  auto* command = program.add_subcommand(name, description);
  command->footer(std::string("Example:\n  ") + example);
  return command;
}

void when_chosen(CLI::App* command, std::function<void()> then) { command->callback(std::move(then)); }

void add_config(CLI::App* command, std::filesystem::path& config) {
  command->add_option("hub.toml", config, "The configuration file")->required();
}

void add_json(CLI::App* command, bool& json) {
  command->add_flag("--json", json, "JSON, one object a line, instead of text for people");
}

void add_person(CLI::App* command, PersonOption& person, bool required) {
  auto* group = command->add_option_group("person", "Whom it is about");
  group
      ->add_option_function<std::string>(
          "--person", [&person](const std::string& text) { person.text = text; },
          "nhs:VALUE, upn:VALUE, local:ISSUER:VALUE, or sequence:N for whom an entry is about; "
          "- reads it from standard input")
      ->type_name("ID");
  group
      ->add_option_function<std::string>(
          "--person-file", [&person](const std::string& file) { person.file = file; },
          "A file that holds it, so that it stays out of the shell's history")
      ->type_name("FILE");
  if (required) {
    group->require_option(1);
  } else {
    group->require_option(0, 1);
  }
}

void add_record(CLI::App* command, std::string& by, std::string& reason, const char* who) {
  command->add_option("--by", by, who)->type_name("NAME");
  command->add_option("--reason", reason, "Why, for the record")->type_name("TEXT");
}

void add_asker(CLI::App* command, std::string& by, std::string& reason) {
  add_record(command, by, reason, "Who asks, for the record");
  for (const char* option : {"--by", "--reason"}) command->get_option(option)->required();
}

void add_word(CLI::App* command, const char* name, const char* help, const std::vector<std::string>& words,
              std::function<void(std::size_t)> given) {
  command
      ->add_option_function<std::string>(
          name,
          [words, given = std::move(given)](const std::string& word) {
            const auto found = std::find(words.begin(), words.end(), word);
            if (found != words.end()) given(static_cast<std::size_t>(found - words.begin()));
          },
          help)
      ->check(CLI::IsMember(words))
      ->default_str(words.front());
}

void add_role(CLI::App* command, std::string& role, std::string& agency) {
  command->add_option("--role", role, "See events as this role may see them")->required()->type_name("ROLE");
  command->add_option("--agency", agency, "As this agency; default: the one agency that has the role")
      ->type_name("ID");
}

void add_filter(CLI::App* command, FilterWords& filter) {
  struct Condition {
    const char* option;
    const char* key;
    const char* help;
  };
  static constexpr Condition kConditions[] = {
      {"--type", "types", "Events of this type (may be repeated, like the others below)"},
      {"--from-agency", "agencies", "Events from this agency"},
      {"--from-channel", "channels", "Events that came by this inbound channel"},
      {"--tier", "tiers", "Events of this tier, 1 to 4"},
      {"--thrive", "thrive", "Events of this THRIVE group"},
      {"--age-min", "age_min", "From this birthday on"},
      {"--age-max", "age_max", "Until this birthday: 18 means under 18"},
      {"--home-authority", "home_authorities", "Children of this authority (GSS code)"},
      {"--gp-practice", "gp_practices", "Children of this practice (ODS code)"},
      {"--school", "schools", "Children of this school (URN or LAESTAB)"},
      {"--flag-reason", "flag_reasons", "Safeguarding flags with this SNOMED CT reason"},
  };
  for (const auto& condition : kConditions) {
    const std::string key = condition.key;
    command
        ->add_option_function<std::vector<std::string>>(
            condition.option,
            [&filter, key](const std::vector<std::string>& words) {
              for (const auto& word : words) filter.emplace_back(key, word);
            },
            condition.help)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("WORD");
  }
}

}  // namespace carehub::app
