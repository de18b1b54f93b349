#include "adapters/channel/pack.hpp"

#include <algorithm>
#include <set>

namespace carehub::adapters {
namespace {

struct NamedForm {
  std::string_view name;
  ValueForm form;
};
constexpr NamedForm kForms[] = {{"text", ValueForm::by_kind}, {"nhs_number", ValueForm::nhs_number},
                                {"upn", ValueForm::upn},      {"ods", ValueForm::ods},
                                {"urn", ValueForm::urn},      {"laestab", ValueForm::laestab},
                                {"gss", ValueForm::gss},      {"upper", ValueForm::upper},
                                {"date", ValueForm::date},    {"time", ValueForm::time}};

/// Tables by name; the pack's and the override's own.
using Tables = std::map<std::string, std::shared_ptr<CodeTable>, std::less<>>;

/// Reads one document's parts into a pack.
class Reader {
 public:
  Reader(Pack& pack, Tables& tables) : pack_(pack), tables_(tables) {}

  void read_standard(ConfigTable root) {
    read_pack_table(root);
    read_tables(root);
    auto groups = read_groups(root);
    for (ConfigTable table : root.tables("message")) read_message(table, groups);
    for (ConfigTable table : root.tables("field")) read_output(table, "to");
    for (ConfigTable table : root.tables("column")) read_output(table, "name");
    if (pack_.direction == Direction::in && !pack_.native && pack_.messages.empty()) {
      root.fault("message", "the pack knows no message",
                 "add a [[message]] with `event` and [[message.field]]s");
    }
    if (pack_.direction == Direction::out && pack_.outputs.empty()) {
      root.fault("column", "the pack writes nothing", "add [[column]]s (csv) or [[field]]s (json)");
    }
  }

  void read_overrides(ConfigTable root) {
    if (auto table = root.table("pack")) read_pack_changes(*table);
    read_tables(root);
    std::vector<std::pair<FieldRule, std::vector<std::string>>> changed;
    for (ConfigTable table : root.tables("field")) {
      std::vector<std::string> messages = table.texts("messages");
      if (auto rule = read_field(table)) changed.emplace_back(std::move(*rule), std::move(messages));
    }
    for (MessageRule& message : pack_.messages) apply(message, changed);
  }

  void number_targets() {
    for (MessageRule& message : pack_.messages) {
      std::map<std::string, std::uint32_t> numbers;
      for (FieldRule& rule : message.fields) {
        std::string key = rule.to.text();
        for (const SourcePath& path : rule.after) key += "@" + path.text;
        rule.target = numbers.emplace(key, static_cast<std::uint32_t>(numbers.size())).first->second;
      }
      message.targets = static_cast<std::uint32_t>(numbers.size());
    }
  }

 private:
  using Groups = std::map<std::string, std::vector<FieldRule>>;

  /// The format that `from` paths are of.
  Format source_format() const { return pack_.direction == Direction::out ? Format::event : pack_.format; }

  void read_pack_table(ConfigTable& root) {
    auto table = root.table("pack");
    if (!table) {
      root.fault("pack", "there is no [pack]", "begin with [pack], name, version, format and direction");
      return;
    }
    pack_.name = table->text("name");
    pack_.version = table->text("version");
    const std::string format = table->text("format");
    if (format == "hl7v2") {
      pack_.format = Format::hl7v2;
    } else if (format == "csv") {
      pack_.format = Format::csv;
    } else if (format == "json") {
      pack_.format = Format::json;
    } else if (!format.empty()) {
      table->fault("format", "there is no format `" + format + "`", "write hl7v2, csv or json");
    }
    const std::string direction = table->text("direction");
    if (direction == "out") {
      pack_.direction = Direction::out;
    } else if (direction != "in" && !direction.empty()) {
      table->fault("direction", "there is no direction `" + direction + "`", "write in or out");
    }
    pack_.notice = table->boolean("notice", false);
    if (pack_.notice && pack_.direction != Direction::out)
      table->fault("notice", "only what goes out can be a notice to people", "leave `notice` out");
    pack_.native = table->boolean("native", false);
    if (pack_.native && (pack_.format != Format::json || pack_.direction != Direction::in)) {
      table->fault("native", "only JSON on its way in can be native", "leave `native` out");
    }
    pack_.header = table->boolean("header", true);
    pack_.on_reuse = pack_.format == Format::hl7v2 ? wire::OnReuse::mark_and_keep : wire::OnReuse::conflict;
    read_pack_changes(*table);
    for (const std::string& text : table->texts("identity"))
      add_path(*table, "identity", text, pack_.identity);
    for (const std::string& text : table->texts("identity_ignores")) {
      add_path(*table, "identity_ignores", text, pack_.identity_ignores);
    }
    if (pack_.direction == Direction::in && !pack_.native && pack_.identity.empty()) {
      table->fault("identity", "nothing says what makes a message the same one",
                   "name the places whose values together do: identity = [\"MSH-3\", \"MSH-4\", \"MSH-10\"]");
    }
  }

  /// What a channel's own file may change too.
  void read_pack_changes(ConfigTable& table) {
    if (auto name = table.optional_text("time_zone")) {
      if (auto zone = Zone::find(*name)) {
        pack_.zone = *zone;
      } else {
        table.fault("time_zone", zone.error().text, "name a zone such as Europe/London");
      }
    }
    if (auto name = table.optional_text("character_set")) {
      if (auto charset = charset_from(*name)) {
        pack_.character_set = *charset;
        pack_.windows1252 = pack_.direction == Direction::out && *charset == Charset::windows1252;
      } else {
        table.fault("character_set", charset.error().text, "write UTF-8 or WINDOWS-1252");
      }
    }
    if (auto delimiter = table.optional_text("delimiter")) {
      if (delimiter->size() == 1 && *delimiter != "\"" && *delimiter != "\r" && *delimiter != "\n") {
        pack_.delimiter = delimiter->front();
      } else {
        table.fault("delimiter", "a delimiter is one character", "write \",\" or \";\" or \"\\t\"");
      }
    }
    if (auto reuse = table.optional_text("on_reuse")) {
      if (*reuse == "mark") {
        pack_.on_reuse = wire::OnReuse::mark_and_keep;
      } else if (*reuse == "conflict") {
        pack_.on_reuse = wire::OnReuse::conflict;
      } else {
        table.fault("on_reuse", "there is no way `" + *reuse + "`", "write mark or conflict");
      }
    }
    if (table.has("processing_ids")) {
      pack_.processing_ids = table.text_or_texts("processing_ids");
      if (pack_.format != Format::hl7v2)
        table.fault("processing_ids", "only HL7 messages have a processing id", "leave it out");
    }
  }

  void read_tables(ConfigTable& root) {
    auto all = root.table("table");
    if (!all) return;
    for (const std::string& name : all->keys()) {
      auto table = all->table(name);
      if (!table) continue;
      auto& kept = tables_[name];
      if (!kept) kept = std::make_shared<CodeTable>(CodeTable{name, {}});
      for (auto& [code, value] : table->text_pairs()) kept->values[code] = value;
    }
  }

  Groups read_groups(ConfigTable& root) {
    Groups groups;
    auto all = root.table("group");
    if (!all) return groups;
    for (const std::string& name : all->keys()) {
      auto table = all->table(name);
      if (!table) continue;
      auto& rules = groups[name];
      for (ConfigTable field : table->tables("field")) {
        if (auto rule = read_field(field)) rules.push_back(std::move(*rule));
      }
    }
    return groups;
  }

  void read_message(ConfigTable& table, const Groups& groups) {
    MessageRule message;
    message.name = table.text("name");
    message.when = read_conditions(table);
    message.ignore = table.boolean("ignore", false);
    if (message.ignore) {
      if (pack_.format != Format::hl7v2)
        table.fault("ignore", "only HL7 messages can be ignored", "leave the [[message]] out");
      pack_.messages.push_back(std::move(message));
      return;
    }
    const std::string event = table.text("event");
    message.event = event_type_from(event);
    if (message.event == event::EventType::unknown && !event.empty()) {
      std::vector<std::string> names;
      for (const event::EventType type : event::EnumValuesEventType())
        names.emplace_back(event_type_name(type));
      table.fault("event", "there is no event `" + event + "`", "write `" + nearest_word(event, names) + "`");
    }
    for (ConfigTable field : table.tables("field")) {
      if (auto rule = read_field(field)) message.fields.push_back(std::move(*rule));
    }
    for (const std::string& name : table.texts("use")) {
      const auto group = groups.find(name);
      if (group == groups.end()) {
        table.fault("use", "there is no group `" + name + "`",
                    "add [[group." + name + ".field]] or leave it out");
        continue;
      }
      message.fields.insert(message.fields.end(), group->second.begin(), group->second.end());
    }
    pack_.messages.push_back(std::move(message));
  }

  std::optional<FieldRule> read_field(ConfigTable& table) {
    FieldRule rule;
    const std::string to = table.text("to");
    if (!read_value(table, rule)) return std::nullopt;
    auto path = FieldPath::parse(to);
    if (!path) {
      table.fault("to", path.error().text, "name a field of event.fbs");
      return std::nullopt;
    }
    rule.to = *path;
    if (rule.to.kind() == FieldKind::table) {
      table.fault("to", "`" + to + "` has fields of its own", "name one of them");
      return std::nullopt;
    }
    if (!check_lists(table, rule, rule.to.open_lists())) return std::nullopt;
    for (const SourcePath& list : rule.after) {
      if (list.open_lists >= 1 && list.open_lists <= rule.to.open_lists()) continue;
      table.fault("after", "`" + list.text + "` is no list that `to` has",
                  "give it as many `[]` as `to` has up to the list that it stands before");
      return std::nullopt;
    }
    check_constant(table, rule);
    return rule;
  }

  /// `[]` in the target needs as many in the source.
  bool check_lists(ConfigTable& table, const ValueRule& rule, std::size_t wanted) {
    std::size_t most = rule.each ? rule.each->open_lists : 0;
    if (!rule.each) {
      for (const SourcePath& path : rule.from) most = std::max(most, path.open_lists);
      for (const SourcePath& path : rule.compose) most = std::max(most, path.open_lists);
    }
    if (most < wanted) {
      table.fault("to", "the target has more `[]` than the source",
                  "put `[]` in `from` where it repeats, name one with `each`, or write [0] in `to`");
      return false;
    }
    if (wanted > kOpenListsMax) {
      table.fault("to", "a path has more than " + std::to_string(kOpenListsMax) + " `[]`", "write an index");
      return false;
    }
    return true;
  }

  /// A name that an enumeration lacks is found now, not when the first message comes.
  static void check_constant(ConfigTable& table, const FieldRule& rule) {
    if (rule.to.kind() != FieldKind::enumeration) return;
    const std::vector<std::string> names = enumeration_names(rule.to);
    const auto check = [&](std::string_view key, const std::string& value) {
      if (std::find(names.begin(), names.end(), value) != names.end()) return;
      table.fault(key, "`" + value + "` is not a value of " + rule.to.text(),
                  "write `" + nearest_word(value, names) + "`");
    };
    if (rule.constant) check("value", *rule.constant);
    if (rule.otherwise && !rule.otherwise->empty()) check("otherwise", *rule.otherwise);
    if (rule.fallback) check("default", *rule.fallback);
    if (rule.table && rule.unknown != UnknownCode::keep) {
      for (const auto& [code, value] : rule.table->values) {
        if (!value.empty()) check("table", value);
      }
    }
  }

  void read_output(ConfigTable& table, std::string_view key) {
    OutputRule rule;
    rule.name = table.text(key);
    rule.number = table.boolean("number", false);
    if (!read_value(table, rule)) return;
    std::size_t lists = 0;
    if (key == "to") {
      auto path = json::Path::parse(rule.name);
      if (!path) {
        table.fault(key, path.error().text, "name a place in the JSON object");
        return;
      }
      rule.to = *path;
      lists = rule.to.open_lists();
    }
    if (!check_lists(table, rule, lists)) return;
    pack_.outputs.push_back(std::move(rule));
  }

  bool read_value(ConfigTable& table, ValueRule& rule) {
    rule.place = table.place();
    bool good = true;
    const auto paths = [&](std::string_view key, std::vector<SourcePath>& into) {
      for (const std::string& text : table.text_or_texts(key))
        good = add_path(table, key, text, into) && good;
    };
    // `from` is one place or a list of them.
    paths("from", rule.from);
    paths("compose", rule.compose);
    paths("after", rule.after);
    std::vector<SourcePath> each;
    paths("each", each);
    if (!each.empty()) rule.each = each.front();
    if (auto value = table.optional_text("between")) rule.between = *value;
    rule.constant = table.optional_text("value");
    rule.otherwise = table.optional_text("otherwise");
    rule.fallback = table.optional_text("default");
    rule.join = table.optional_text("join");
    rule.required = table.boolean("required", false);
    rule.first_fit = table.boolean("first_fit", false);
    rule.when = read_conditions(table);
    rule.formats = table.text_or_texts("format");
    for (const std::string& format : rule.formats) {
      if (auto checked = check_time_format(format); !checked) {
        table.fault("format", checked.error().text, "use the codes %Y %m %d %H %M %S");
      }
    }
    const int sources =
        (rule.from.empty() ? 0 : 1) + (rule.compose.empty() ? 0 : 1) + (rule.constant ? 1 : 0);
    if (sources != 1 && good) {
      table.fault("from", "a field needs one of `from`, `compose` and `value`", "write one of them");
      good = false;
    }
    read_choices(table, rule);
    return good;
  }

  void read_choices(ConfigTable& table, ValueRule& rule) {
    if (auto name = table.optional_text("table")) {
      // A table may be filled by a channel's own file alone.
      const auto found = tables_.find(*name);
      if (found == tables_.end()) {
        std::vector<std::string> names;
        for (const auto& [known, unused] : tables_) names.push_back(known);
        table.fault("table", "there is no table `" + *name + "`",
                    "add [table." + *name + "]" +
                        (names.empty() ? "" : " or write `" + nearest_word(*name, names) + "`"));
      } else {
        rule.table = found->second;
      }
    }
    if (auto unknown = table.optional_text("unknown")) {
      if (*unknown == "omit") {
        rule.unknown = UnknownCode::omit;
      } else if (*unknown == "keep") {
        rule.unknown = UnknownCode::keep;
      } else if (*unknown != "fault") {
        table.fault("unknown", "there is no way `" + *unknown + "`", "write fault, omit or keep");
      }
    }
    if (auto invalid = table.optional_text("invalid")) {
      rule.omit_invalid = *invalid == "omit";
      if (*invalid != "omit" && *invalid != "fault") {
        table.fault("invalid", "there is no way `" + *invalid + "`", "write fault or omit");
      }
    }
    if (auto form = table.optional_text("as")) rule.form = read_form(table, "as", *form);
  }

  static ValueForm read_form(ConfigTable& table, std::string_view key, const std::string& name) {
    const auto* found = std::find_if(std::begin(kForms), std::end(kForms),
                                     [&](const NamedForm& known) { return known.name == name; });
    if (found != std::end(kForms)) return found->form;
    std::vector<std::string> names;
    for (const NamedForm& known : kForms) names.emplace_back(known.name);
    table.fault(key, "there is no form `" + name + "`", "write `" + nearest_word(name, names) + "`");
    return ValueForm::by_kind;
  }

  std::vector<Condition> read_conditions(ConfigTable& table) {
    std::vector<Condition> conditions;
    for (ConfigTable one : table.tables("when")) {
      std::vector<SourcePath> path;
      const std::string text = one.text("path");
      if (text.empty() || !add_path(one, "path", text, path)) continue;
      Condition condition;
      condition.path = std::move(path.front());
      int ways = 0;
      for (const auto& [key, kind] :
           {std::pair{"in", ConditionKind::in}, std::pair{"not_in", ConditionKind::not_in},
            std::pair{"equals", ConditionKind::in}, std::pair{"not_equals", ConditionKind::not_in}}) {
        if (!one.has(key)) continue;
        condition.kind = kind;
        condition.values = one.text_or_texts(key);
        ++ways;
      }
      for (const auto& [key, kind] :
           {std::pair{"present", ConditionKind::present}, std::pair{"absent", ConditionKind::absent}}) {
        if (!one.has(key)) continue;
        const bool wanted = one.boolean(key, true);
        const bool present = (kind == ConditionKind::present) == wanted;
        condition.kind = present ? ConditionKind::present : ConditionKind::absent;
        ++ways;
      }
      if (auto form = one.optional_text("is")) {
        condition.kind = ConditionKind::is;
        condition.form = read_form(one, "is", *form);
        ++ways;
      }
      if (ways != 1) {
        one.fault("path", "a condition needs one of equals, not_equals, in, not_in, is, present and absent",
                  "write one of them");
        continue;
      }
      conditions.push_back(std::move(condition));
    }
    return conditions;
  }

  bool add_path(ConfigTable& table, std::string_view key, const std::string& text,
                std::vector<SourcePath>& into) {
    auto path = parse_source_path(source_format(), text);
    if (!path) {
      table.fault(key, path.error().text, "mend the path");
      return false;
    }
    into.push_back(std::move(*path));
    return true;
  }

  static void apply(MessageRule& message,
                    const std::vector<std::pair<FieldRule, std::vector<std::string>>>& changed) {
    std::set<std::string> replaced;
    std::vector<FieldRule> fields;
    for (const auto& [rule, messages] : changed) {
      const std::string first = rule.to.text().substr(0, rule.to.text().find_first_of(".["));
      const event::EventType type = event_type_from(first);
      const bool fits = type == event::EventType::unknown || type == message.event;
      const bool named =
          messages.empty() || std::find(messages.begin(), messages.end(), message.name) != messages.end();
      if (!fits || !named) continue;
      replaced.insert(rule.to.text());
      fields.push_back(rule);
    }
    for (FieldRule& rule : message.fields) {
      if (!replaced.contains(rule.to.text())) fields.push_back(std::move(rule));
    }
    message.fields = std::move(fields);
  }

  Pack& pack_;
  Tables& tables_;
};

void take_faults(ConfigDocument& document, std::vector<ConfigFault>& faults) {
  document.report_unused();
  faults.insert(faults.end(), document.faults().begin(), document.faults().end());
}

}  // namespace

std::shared_ptr<const Pack> read_pack(ConfigDocument document, std::optional<ConfigDocument> overrides,
                                      std::vector<ConfigFault>& faults) {
  const std::size_t before = faults.size();
  auto pack = std::make_shared<Pack>();
  Tables tables;
  Reader reader(*pack, tables);
  // A file that did not parse has said so; what an empty one lacks is not worth telling.
  if (document.faults().empty()) reader.read_standard(document.root());
  take_faults(document, faults);
  if (overrides) {
    if (overrides->faults().empty()) reader.read_overrides(overrides->root());
    take_faults(*overrides, faults);
  }
  reader.number_targets();
  if (!pack->zone) {
    if (auto zone = Zone::find("Europe/London")) {
      pack->zone = *zone;
    } else {
      faults.push_back({document.file().string(), 0, 0, zone.error().text, "install the tzdata package"});
    }
  }
  if (faults.size() != before) return nullptr;
  return pack;
}

std::shared_ptr<const Pack> load_pack(const std::filesystem::path& file,
                                      const std::optional<std::filesystem::path>& overrides,
                                      std::vector<ConfigFault>& faults) {
  std::optional<ConfigDocument> second;
  if (overrides) second = ConfigDocument::load(*overrides);
  return read_pack(ConfigDocument::load(file), std::move(second), faults);
}

}  // namespace carehub::adapters
