// What is posted: a body that may be JSON, and the paths into it that a pack's author writes.
#include <cstdlib>

#include "adapters/formats/json.hpp"

using namespace carehub;
namespace json = adapters::json;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// True: a number in it is no whole one, and its last digit may not be kept.
bool visit(const json::Value& value, std::size_t depth) {
  require(depth <= json::Document::kDepthMax);
  (void)value.scalar();
  bool rounded =
      value.kind() == json::Kind::number && value.serialized().find_first_of(".eE") != std::string::npos;
  if (value.kind() == json::Kind::array) {
    for (std::size_t at = 0; at < value.size(); ++at) rounded |= visit(value.element(at), depth + 1);
  }
  value.each_member([&](std::string_view name, const json::Value& member) {
    require(value.member(name).has_value());
    rounded |= visit(member, depth + 1);
  });
  return rounded;
}

}  // namespace

/// A path on the first line, a document below it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(all.find('\n'), all.size());
  const auto path = json::Path::parse(all.substr(0, end));
  const auto body = all.substr(std::min(end + 1, all.size()));
  const auto document = json::Document::parse(body);
  if (!document) return 0;
  const bool rounded = visit(document->root(), 0);
  const auto line = document->root().serialized();
  const auto again = json::Document::parse(line);
  require(again && (rounded || again->root().serialized() == line));
  if (!path) return 0;
  const std::vector<std::uint32_t> first(path->open_lists(), 0);
  (void)document->root().count(*path, {});
  const auto found = document->root().at(*path, first);
  json::Writer writer;
  writer.set_text(*path, first, "x");
  if (found) (void)writer.set_json(*path, first, found->serialized());
  require(json::Document::parse(writer.finish(false)).has_value());
  return 0;
}
