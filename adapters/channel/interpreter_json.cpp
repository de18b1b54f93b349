#include "adapters/channel/interpreter_json.hpp"

#include <algorithm>

namespace carehub::adapters {
namespace {

constexpr const char* kMediaType = "application/json";
constexpr std::size_t kFaultsMax = 100;  // of one event; the sender mends the first ones first

Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

json::Path path_of(std::string_view text) { return *json::Path::parse(text); }

/// What one item of a document became, and where it stood.
struct Item {
  client::Publication publication;
  std::string at;  // $ or $.items[2] or $[2]
  std::string id;  // as the sender gave it; empty where they gave none
  std::vector<MappingFault> faults;
  Mapping mapping;
  std::shared_ptr<json::Document> document;
  std::optional<json::Value> value;
};

/// Sets the leaves of a JSON object whose names are those of event.fbs.
class NativeWalk {
 public:
  NativeWalk(EventBuilder& builder, std::vector<MappingFault>& faults) : builder_(builder), faults_(faults) {}

  void walk(const json::Value& value, const std::string& path, const std::string& at) {
    if (faults_.size() >= kFaultsMax) return;
    switch (value.kind()) {
      case json::Kind::null: return;
      case json::Kind::object:
        value.each_member([&](std::string_view name, json::Value member) {
          if (member.kind() == json::Kind::null) return;
          const std::string below = path.empty() ? std::string(name) : path + "." + std::string(name);
          // A name with a dot or a bracket would be taken for a path. One that is no field's is the sender's
          // own text, which no log may show.
          if (name.find_first_of(".[]") != std::string_view::npos || !FieldPath::parse(below)) {
            return fault("unknown_field", at, "it has a member whose name no event has; leave it out");
          }
          walk(member, below, at + "." + std::string(name));
        });
        return;
      case json::Kind::array:
        for (std::size_t i = 0; i < value.size(); ++i) {
          const std::string index = "[" + std::to_string(i) + "]";
          walk(value.element(i), path + index, at + index);
        }
        return;
      default: set(value, path, at);
    }
  }

 private:
  void set(const json::Value& value, const std::string& path, const std::string& at) {
    if (path == "received_at" || path == "mapping_name" || path == "mapping_version" ||
        path == "source_channel" || path == "source_agency") {
      return;  // the hub's to say
    }
    auto field = FieldPath::parse(path);
    if (!field) return fault("unknown_field", at, field.error().text);
    if (field->open_lists() > 0) return fault("bad_value", at, "it is a list; send an array");
    const std::string text = value.scalar();
    if (text.empty()) return;
    if (auto good = builder_.set(*field, text); !good) fault("bad_value", at, good.error().text);
  }

  void fault(std::string code, const std::string& at, const std::string& text) {
    if (faults_.size() < kFaultsMax) faults_.push_back({std::move(code), at, at + ": " + text, 102});
  }

  EventBuilder& builder_;
  std::vector<MappingFault>& faults_;
};

std::string outcome_json(const client::PublishResult& result, const Item& item) {
  json::Writer writer;
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) writer.set_text(path_of(name), {}, value);
  };
  text("id", item.id);
  if (const auto* receipt = std::get_if<client::Receipt>(&result)) {
    text("outcome", receipt->duplicate ? "duplicate" : "receipt");
    writer.set_number(path_of("sequence"), {}, static_cast<std::int64_t>(receipt->sequence));
    text("appended_at", to_rfc3339(receipt->appended_at));
    for (std::uint32_t i = 0; i < receipt->marks.size(); ++i) {
      writer.set_text(path_of("marks[]"), std::vector<std::uint32_t>{i},
                      ledger::EnumNameMark(receipt->marks[i]));
    }
  } else if (const auto* refused = std::get_if<client::Refused>(&result)) {
    text("outcome", "refused");
    text("kind", to_string(refused->kind));
    writer.set_number(path_of("sequence"), {}, static_cast<std::int64_t>(refused->sequence));
    if (item.faults.empty()) {
      std::string place = refused->place.empty() ? item.at : item.at + "." + refused->place;
      if (item.value && !item.mapping.origins.empty()) {
        place = source_place(item.mapping, JsonSource(*item.value, item.at), refused->place);
      }
      text("errors[0].code", refused->code);
      text("errors[0].place", place);
      text("errors[0].text", refused->text);
    }
    for (std::uint32_t i = 0; i < item.faults.size(); ++i) {
      const std::vector<std::uint32_t> at{i};
      writer.set_text(path_of("errors[].code"), at, item.faults[i].code);
      writer.set_text(path_of("errors[].place"), at, item.faults[i].place);
      writer.set_text(path_of("errors[].text"), at, item.faults[i].text);
    }
  } else if (const auto* not_kept = std::get_if<client::NotKept>(&result)) {
    text("outcome", "not_kept");
    text("text", not_kept->text);
  }
  return writer.finish(false);
}

class JsonInbound final : public InboundMessage {
 public:
  std::vector<client::Publication> take_publications() override {
    std::vector<client::Publication> publications;
    publications.reserve(items.size());
    for (Item& item : items) publications.push_back(std::move(item.publication));
    return publications;
  }

  /// One object for one event; {"outcomes": [...]} in the same order for an array.
  std::vector<Bytes> answer(const std::vector<client::PublishResult>& results) override {
    if (!list && items.size() == 1 && results.size() == 1) {
      return {bytes_from(outcome_json(results.front(), items.front()))};
    }
    std::string out = "{\"outcomes\":[";
    for (std::size_t i = 0; i < std::min(results.size(), items.size()); ++i) {
      if (i > 0) out += ',';
      out += outcome_json(results[i], items[i]);
    }
    return {bytes_from(out + "]}")};
  }

  std::vector<Item> items;
  bool list = false;
};

class JsonInterpreter final : public Interpreter {
 public:
  JsonInterpreter(std::shared_ptr<const Pack> pack, InterpreterOptions options)
      : pack_(std::move(pack)), options_(std::move(options)) {}

  std::unique_ptr<InboundMessage> interpret(Bytes message, const Arrival& arrival) const override {
    auto inbound = std::make_unique<JsonInbound>();
    auto parsed = json::Document::parse(text_of(message));
    if (!parsed) {
      inbound->items.push_back(faulty("$", {{"unreadable", "$", parsed.error().text}}, std::move(message)));
      return inbound;
    }
    auto document = std::make_shared<json::Document>(std::move(*parsed));
    const json::Value root = document->root();
    inbound->list = root.kind() == json::Kind::array;
    if (!inbound->list) {
      inbound->items.push_back(item(document, root, "$", std::move(message), arrival));
      return inbound;
    }
    if (root.size() > limits::kPublishItemsMax) {
      const std::string text =
          "$: more than " + std::to_string(limits::kPublishItemsMax) + " events; send fewer at a time";
      inbound->items.push_back(faulty("$", {{"too_many", "$", text}}, std::move(message)));
      return inbound;
    }
    for (std::size_t i = 0; i < root.size(); ++i) {
      const json::Value element = root.element(i);
      inbound->items.push_back(
          item(document, element, "$[" + std::to_string(i) + "]", bytes_from(element.serialized()), arrival));
    }
    return inbound;
  }

 private:
  Item faulty(std::string at, std::vector<MappingFault> faults, Bytes original) const {
    Item item;
    item.at = std::move(at);
    item.publication = make_publication(options_, {}, faults, std::move(original), kMediaType);
    item.faults = std::move(faults);
    return item;
  }

  Item item(const std::shared_ptr<json::Document>& document, json::Value value, const std::string& at,
            Bytes original, const Arrival& arrival) const {
    if (value.kind() != json::Kind::object) {
      return faulty(at, {{"unreadable", at, at + ": it is no object; send an event as an object"}},
                    std::move(original));
    }
    Item item = pack_->native ? native(value, at, std::move(original), arrival)
                              : mapped(value, at, std::move(original), arrival);
    item.document = document;
    item.value = value;
    return item;
  }

  /// The names of event.fbs, or a CloudEvents 1.0 envelope around them (structured mode).
  Item native(const json::Value& value, const std::string& at, Bytes original, const Arrival& arrival) const {
    const auto data = value.member("data");
    const bool cloud_event =
        value.member("specversion").has_value() && data && data->kind() == json::Kind::object;
    const json::Value body = cloud_event ? *data : value;
    const std::string body_at = cloud_event ? at + ".data" : at;
    std::vector<MappingFault> faults;
    EventBuilder builder;
    NativeWalk(builder, faults).walk(body, {}, body_at);
    const auto own = [&](const char* name) {
      const auto member = value.member(name);
      return member ? member->scalar() : std::string{};
    };
    std::string id = own("id");
    MessageRule rule;
    std::string type = cloud_event ? std::string{} : own("type");
    if (const auto inner = body.member("type")) type = inner->scalar();
    if (type.empty() && cloud_event) type = cloud_event_type(own("type"));
    rule.event = event_type_from(type);
    if (rule.event == event::EventType::unknown) {
      faults.insert(faults.begin(),
                    {"unsupported_event", body_at + ".type",
                     body_at + ".type: it names no event; write one of event.fbs, such as admission"});
    }
    Mapping mapping;
    Envelope envelope{.message_id = {}, .system = {}, .received_at = arrival.received_at};
    if (!body.member("source_message_id")) envelope.message_id = id;
    Bytes event;
    if (faults.empty()) {
      // The sender's id is what makes the message the same one; the event's own id is the hub's.
      event = finish_event(builder, *pack_, rule, options_, envelope, mapping);
      faults = mapping.faults;
    }
    Item item;
    item.at = body_at;
    item.id = id;
    item.publication = make_publication(options_, std::move(event), faults, std::move(original), kMediaType);
    if (!id.empty()) {
      const std::string source = own("source");
      item.publication.identity = identity_of({options_.channel, source, id});
      item.publication.content_hash = sha256(value.serialized());
    } else {
      // Without an id, the same content is the same message.
      const Hash hash = sha256(value.serialized());
      item.publication.identity = Bytes(hash.begin(), hash.end());
      item.publication.content_hash = hash;
    }
    item.publication.on_reuse = wire::OnReuse::conflict;
    item.faults = std::move(faults);
    return item;
  }

  /// uk.carehub.safeguarding_flag.v1 -> safeguarding_flag
  static std::string cloud_event_type(const std::string& type) {
    constexpr std::string_view kPrefix = "uk.carehub.";
    constexpr std::string_view kSuffix = ".v1";
    if (!type.starts_with(kPrefix) || !type.ends_with(kSuffix)) return {};
    return type.substr(kPrefix.size(), type.size() - kPrefix.size() - kSuffix.size());
  }

  Item mapped(const json::Value& value, const std::string& at, Bytes original, const Arrival& arrival) const {
    const JsonSource source(value, at);
    const MessageRule* rule = choose_message(*pack_, source);
    if (rule == nullptr) {
      return faulty(
          at, {{"unsupported_event", at, at + ": no message of the mapping pack fits; correct its codes"}},
          std::move(original));
    }
    Item item;
    item.at = at;
    EventBuilder builder;
    item.mapping = map_message(*pack_, *rule, source, builder);
    std::vector<std::string> values{options_.channel};
    std::string scratch;
    for (const SourcePath& path : pack_->identity) values.emplace_back(source.find(path, {}, scratch).text);
    for (std::size_t i = 1; i < values.size(); ++i) item.id += (item.id.empty() ? "" : "/") + values[i];
    if (item.id.size() > limits::kNameBytesMax) item.id.resize(limits::kNameBytesMax);
    const Envelope envelope{.message_id = item.id, .system = {}, .received_at = arrival.received_at};
    Bytes event = finish_event(builder, *pack_, *rule, options_, envelope, item.mapping);
    item.publication =
        make_publication(options_, std::move(event), item.mapping.faults, std::move(original), kMediaType);
    item.publication.identity = identity_of({values.begin(), values.end()});
    item.publication.content_hash = sha256(value.serialized());
    item.publication.on_reuse = pack_->on_reuse;
    item.faults = item.mapping.faults;
    return item;
  }

  std::shared_ptr<const Pack> pack_;
  InterpreterOptions options_;
};

}  // namespace

std::unique_ptr<Interpreter> make_json_interpreter(std::shared_ptr<const Pack> pack,
                                                   InterpreterOptions options) {
  return std::make_unique<JsonInterpreter>(std::move(pack), std::move(options));
}

}  // namespace carehub::adapters
