#include "adapters/channel/interpreter_publication.hpp"

#include <openssl/evp.h>

#include "broker/base/assert.hpp"

namespace carehub::adapters {
namespace {

FieldPath known(std::string_view name) {
  auto path = FieldPath::parse(name);
  CAREHUB_ASSERT(path.has_value(), "a field of the envelope is not in event.fbs");
  return *path;
}

struct EnvelopePaths {
  FieldPath id = known("id");
  FieldPath type = known("type");
  FieldPath source_agency = known("source_agency");
  FieldPath source_channel = known("source_channel");
  FieldPath source_message_id = known("source_message_id");
  FieldPath source_system = known("source_system");
  FieldPath received_at = known("received_at");
  FieldPath mapping_name = known("mapping_name");
  FieldPath mapping_version = known("mapping_version");
};

const EnvelopePaths& envelope_paths() {
  static const EnvelopePaths paths;
  return paths;
}

}  // namespace

Bytes finish_event(EventBuilder& builder, const Pack& pack, const MessageRule& rule,
                   const InterpreterOptions& options, const Envelope& envelope, Mapping& mapping) {
  const EnvelopePaths& paths = envelope_paths();
  const auto set = [&](const FieldPath& path, std::string_view value) {
    if (value.empty()) return;
    if (auto good = builder.set(path, value); !good) {
      mapping.faults.push_back({"bad_value", path.text(), path.text() + ": " + good.error().text, 102});
    }
  };
  set(paths.id, random_uuid(*options.random));
  set(paths.type, event_type_name(rule.event));
  set(paths.source_agency, options.agency);
  set(paths.source_channel, options.channel);
  set(paths.source_message_id, envelope.message_id);
  set(paths.source_system, envelope.system);
  set(paths.received_at, std::to_string(envelope.received_at.us));
  set(paths.mapping_name, pack.name);
  set(paths.mapping_version, pack.version);
  auto event = builder.finish();
  if (!event) {
    mapping.faults.push_back({"bad_value", {}, event.error().text, 207});
    return {};
  }
  return std::move(*event);
}

client::Publication make_publication(const InterpreterOptions& options, Bytes event,
                                     const std::vector<MappingFault>& faults, Bytes original,
                                     std::string original_media_type) {
  client::Publication publication;
  publication.channel = options.channel;
  publication.original = std::move(original);
  publication.original_media_type = std::move(original_media_type);
  if (faults.empty()) {
    publication.event = std::move(event);
    return publication;
  }
  wire::ProblemT problem;
  problem.code = faults.front().code;
  problem.place = faults.front().place;
  problem.text = faults.front().text;
  if (faults.size() > 1) problem.text += " (and " + std::to_string(faults.size() - 1) + " more faults)";
  if (problem.text.size() > limits::kErrorTextBytesMax) problem.text.resize(limits::kErrorTextBytesMax);
  publication.problem = std::move(problem);
  return publication;
}

Bytes identity_of(const std::vector<std::string_view>& values) {
  Bytes identity;
  for (const std::string_view value : values) {
    const std::string length = std::to_string(value.size()) + ":";
    identity.insert(identity.end(), length.begin(), length.end());
    identity.insert(identity.end(), value.begin(), value.end());
  }
  if (identity.size() <= limits::kIdentityBytesMax) return identity;
  const Hash hash = sha256(text_of(identity));
  return {hash.begin(), hash.end()};
}

Hash sha256(std::string_view text) {
  Hash hash{};
  unsigned int size = 0;
  // Looking the algorithm up costs as much as hashing a short message.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  const int good = EVP_Digest(text.data(), text.size(), hash.data(), &size, algorithm, nullptr);
  CAREHUB_ASSERT(good == 1 && size == hash.size(), "SHA-256 is always there");
  return hash;
}

}  // namespace carehub::adapters
