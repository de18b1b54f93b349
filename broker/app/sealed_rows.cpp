#include "broker/app/sealed_rows.hpp"

#include <sodium.h>

#include "broker/app/csv_line.hpp"
#include "broker/app/json_line.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::app {
namespace {

std::string base64(BytesView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(text.size() - 1);  // its zero
  return text;
}

}  // namespace

std::string sealed_json(const storage::SealedEntry& entry) {
  return JsonLine()
      .add("sequence", entry.header.sequence)
      .add("appended_at", to_rfc3339(entry.header.appended_at))
      .add("kind", storage::to_string(entry.header.kind))
      .add("kind_number", std::uint64_t{static_cast<std::uint8_t>(entry.header.kind)})
      .add("leaf", to_hex(entry.leaf))
      .add("entry", base64(storage::encode(entry)))
      .text();
}

std::string leaf_line(const storage::SealedEntry& entry) {
  const auto clear = storage::clear_bytes(entry.header);
  const Hash sealed = storage::sha256({entry.nonce, entry.ciphertext});
  Bytes data(clear.begin(), clear.end());
  data.insert(data.end(), sealed.begin(), sealed.end());
  return base64(data);
}

std::string sealed_csv_header() {
  CsvLine line;
  for (const auto* name : {"sequence", "appended_at", "kind", "bytes", "leaf"}) line.add(name);
  return line.text();
}

std::string sealed_csv(const storage::SealedEntry& entry) {
  CsvLine line;
  line.add(entry.header.sequence).add(to_rfc3339(entry.header.appended_at));
  line.add(storage::to_string(entry.header.kind)).add(std::uint64_t{entry.header.length});
  return line.add(to_hex(entry.leaf)).text();
}

}  // namespace carehub::app
