#include "broker/app/event_file.hpp"

#include <optional>

#include "adapters/formats/json.hpp"
#include "broker/base/event_builder.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::app {
namespace {

namespace json = adapters::json;

Error in_event(std::size_t number, const Error& error) {
  return {error.kind, "event " + std::to_string(number) + ": " + error.text};
}

/// Every scalar becomes a path and its text: names[0].given[1]. An empty object or array says nothing.
Result<void> set_fields(EventBuilder& builder, const json::Value& value, const std::string& path) {
  switch (value.kind()) {
    case json::Kind::null: return {};
    case json::Kind::object: {
      Result<void> result;
      value.each_member([&](std::string_view name, json::Value member) {
        if (!result) return;
        result =
            set_fields(builder, member, path.empty() ? std::string(name) : path + "." + std::string(name));
      });
      return result;
    }
    case json::Kind::array:
      for (std::size_t i = 0; i < value.size(); ++i) {
        auto result = set_fields(builder, value.element(i), path + "[" + std::to_string(i) + "]");
        if (!result) return result;
      }
      return {};
    default: break;
  }
  auto field = FieldPath::parse(path);
  if (!field) return tl::unexpected(field.error());
  auto set = builder.set(*field, value.scalar());
  if (!set) return fail(set.error().kind, path + ": " + set.error().text);
  return {};
}

Result<void> set_default(EventBuilder& builder, const json::Value& object, const char* name,
                         const std::string& value) {
  if (value.empty() || object.member(name)) return {};
  auto field = FieldPath::parse(name);
  if (!field) return tl::unexpected(field.error());
  return builder.set(*field, value);
}

Result<FileEvent> read_event(const json::Value& object, const EventDefaults& defaults, Random& random) {
  if (object.kind() != json::Kind::object)
    return fail(ErrorKind::invalid, "is not an object with an event's fields");
  EventBuilder builder;
  if (auto set = set_fields(builder, object, {}); !set) return tl::unexpected(set.error());
  const std::pair<const char*, std::string> missing[] = {
      {"id", random_uuid(random)},
      {"source_agency", defaults.agency},
      {"source_channel", defaults.channel},
      {"received_at", std::to_string(defaults.received_at.us)},
  };
  for (const auto& [name, value] : missing) {
    if (auto set = set_default(builder, object, name, value); !set) return tl::unexpected(set.error());
  }
  auto bytes = builder.finish();
  if (!bytes) return tl::unexpected(bytes.error());
  const event::Event* event = verified_event(*bytes);
  if (event == nullptr) return fail(ErrorKind::invalid, "is larger than an event may be");
  return FileEvent{*bytes, event->id()->str(), event->source_agency()->str(),
                   storage::sha256({bytes_of(object.serialized())})};
}

/// One document, or one a line where the whole is none.
Result<std::vector<json::Document>> read_documents(std::string_view text) {
  std::vector<json::Document> documents;
  auto whole = json::Document::parse(text);
  if (whole) {
    documents.push_back(*std::move(whole));
    return documents;
  }
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto document = json::Document::parse(line);
    // The first line of a document that is spread over several is no document: then the whole's fault says
    // more.
    if (!document && documents.empty()) return tl::unexpected(whole.error());
    if (!document)
      return fail(ErrorKind::invalid, "line " + std::to_string(number) + ": " + document.error().text);
    documents.push_back(*std::move(document));
  }
  if (documents.empty()) return tl::unexpected(whole.error());
  return documents;
}

}  // namespace

Result<std::vector<FileEvent>> read_events(std::string_view text, const EventDefaults& defaults,
                                           Random& random) {
  auto documents = read_documents(text);
  if (!documents) return tl::unexpected(documents.error());
  std::vector<FileEvent> events;
  for (const auto& document : *documents) {
    const json::Value root = document.root();
    const bool array = root.kind() == json::Kind::array;
    for (std::size_t i = 0; i < (array ? root.size() : 1); ++i) {
      auto event = read_event(array ? root.element(i) : root, defaults, random);
      if (!event) return tl::unexpected(in_event(events.size() + 1, event.error()));
      events.push_back(*std::move(event));
    }
  }
  return events;
}

Result<FileEvent> read_one_event(std::string_view text, const EventDefaults& defaults, Random& random) {
  auto document = json::Document::parse(text);
  if (!document) return tl::unexpected(document.error());
  const json::Value root = document->root();
  const auto shown = root.kind() == json::Kind::object ? root.member("event") : std::nullopt;
  return read_event(shown ? *shown : root, defaults, random);
}

}  // namespace carehub::app
