#include "adapters/channel/interpreter_csv.hpp"

#include <filesystem>

namespace carehub::adapters {
namespace {

constexpr const char* kMediaType = "text/csv";

Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

/// Publications in the order of the file's lines; what became of each row is told by the transport.
class CsvInbound final : public InboundMessage {
 public:
  std::vector<client::Publication> take_publications() override { return std::move(publications); }
  std::vector<Bytes> answer(const std::vector<client::PublishResult>& /*results*/) override { return {}; }

  std::vector<client::Publication> publications;
};

class CsvInterpreter final : public Interpreter {
 public:
  CsvInterpreter(std::shared_ptr<const Pack> pack, InterpreterOptions options)
      : pack_(std::move(pack)), options_(std::move(options)) {}

  std::unique_ptr<InboundMessage> interpret(Bytes message, const Arrival& arrival) const override {
    auto inbound = std::make_unique<CsvInbound>();
    const std::string name = std::filesystem::path(arrival.source).filename().string();
    auto file = csv::read(text_of(message), pack_->delimiter, pack_->character_set);
    if (!file) {
      const std::vector<MappingFault> faults{{"unreadable", "file", file.error().text}};
      inbound->publications.push_back(make_publication(options_, {}, faults, std::move(message), kMediaType));
      return inbound;
    }
    std::size_t bad = 0;
    for (const csv::Row& row : file->rows) {
      while (bad < file->bad_rows.size() && file->bad_rows[bad].line < row.line) {
        inbound->publications.push_back(problem(file->bad_rows[bad++]));
      }
      inbound->publications.push_back(publication(file->header, row, name, arrival));
    }
    while (bad < file->bad_rows.size()) inbound->publications.push_back(problem(file->bad_rows[bad++]));
    return inbound;
  }

 private:
  client::Publication problem(const csv::BadRow& row) const {
    const std::string place = "line " + std::to_string(row.line);
    return make_publication(options_, {}, {{row.code, place, place + ": the row " + row.text}},
                            bytes_from(row.original), kMediaType);
  }

  client::Publication publication(const csv::Header& header, const csv::Row& row, const std::string& file,
                                  const Arrival& arrival) const {
    const CsvSource source(header, row);
    Bytes original = bytes_from(csv::write_row(header.names(), pack_->delimiter) + row.text + "\r\n");
    const MessageRule* rule = choose_message(*pack_, source);
    if (rule == nullptr) {
      const std::string place = "line " + std::to_string(row.line);
      const std::vector<MappingFault> faults{
          {"unsupported_event", place,
           place + ": no message of the mapping pack fits the row; correct its codes"}};
      return make_publication(options_, {}, faults, std::move(original), kMediaType);
    }
    EventBuilder builder;
    Mapping mapping = map_message(*pack_, *rule, source, builder);
    std::vector<std::string> values{file};
    std::string scratch;
    for (const SourcePath& path : pack_->identity) values.emplace_back(source.find(path, {}, scratch).text);
    std::string id = file;
    for (std::size_t i = 1; i < values.size(); ++i) id += "/" + values[i];
    if (id.size() > limits::kNameBytesMax) id = file + "/" + std::to_string(row.line);
    const Envelope envelope{.message_id = id, .system = file, .received_at = arrival.received_at};
    Bytes event = finish_event(builder, *pack_, *rule, options_, envelope, mapping);
    auto publication =
        make_publication(options_, std::move(event), mapping.faults, std::move(original), kMediaType);
    const std::vector<std::string_view> views(values.begin(), values.end());
    publication.identity = identity_of(views);
    publication.content_hash = sha256(row.text);
    publication.on_reuse = pack_->on_reuse;
    return publication;
  }

  std::shared_ptr<const Pack> pack_;
  InterpreterOptions options_;
};

}  // namespace

std::unique_ptr<Interpreter> make_csv_interpreter(std::shared_ptr<const Pack> pack,
                                                  InterpreterOptions options) {
  return std::make_unique<CsvInterpreter>(std::move(pack), std::move(options));
}

}  // namespace carehub::adapters
