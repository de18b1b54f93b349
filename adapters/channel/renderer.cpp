#include "adapters/channel/renderer.hpp"

#include "adapters/channel/mapping.hpp"
#include "broker/base/assert.hpp"

namespace carehub::adapters {
namespace {

Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

json::Path path_of(std::string_view text) { return *json::Path::parse(text); }

Result<const event::Event*> view_of(const wire::DeliveryT& delivery) {
  const auto* view = verified_event(delivery.view);
  if (view == nullptr)
    return fail(ErrorKind::corrupt, "the delivery's view is not an event; look at the hub's record");
  return view;
}

std::string_view text_or_empty(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

/// The hub's CloudEvents 1.0 form. Extension attributes are lower-case letters and digits, as section 3 has
/// it.
class CloudEventRenderer final : public Renderer {
 public:
  explicit CloudEventRenderer(RendererOptions options) : options_(std::move(options)) {}

  Result<Rendered> render(const wire::DeliveryT& delivery) const override {
    const auto view = view_of(delivery);
    if (!view) return tl::unexpected(view.error());
    const event::Event& event = **view;
    const std::string id(text_or_empty(event.id()));
    json::Writer writer;
    const auto text = [&](std::string_view name, std::string_view value) {
      if (!value.empty()) writer.set_text(path_of(name), {}, value);
    };
    text("specversion", "1.0");
    text("id", id);
    const std::string_view agency = text_or_empty(event.source_agency());
    text("source", "/" + options_.hub + (agency.empty() ? std::string{} : "/" + std::string(agency)));
    text("type", std::string("uk.carehub.") + event_type_name(delivery.type) + ".v1");
    text("time", to_rfc3339({delivery.appended_at}));
    if (delivery.person)
      text("subject", to_hex({delivery.person->bytes()->data(), delivery.person->bytes()->size()}));
    text("datacontenttype", "application/json");
    writer.set_number(path_of("sequence"), {}, static_cast<std::int64_t>(delivery.sequence));
    writer.set_number(path_of("attempt"), {}, delivery.attempt);
    text("legalbasis", delivery.legal_basis);
    for (const auto& [name, flag] :
         {std::pair{"late", delivery.late}, std::pair{"aftergap", delivery.after_gap},
          std::pair{"replay", delivery.replay}}) {
      if (flag) writer.set_boolean(path_of(name), {}, true);
    }
    std::string marks;
    for (const ledger::Mark mark : delivery.marks)
      marks += (marks.empty() ? "" : " ") + std::string(EnumNameMark(mark));
    text("marks", marks);
    if (auto good = writer.set_json(path_of("data"), {}, event_to_json(event)); !good) {
      return tl::unexpected(good.error());
    }
    return Rendered{.bytes = bytes_from(writer.finish(false)),
                    .media_type = "application/cloudevents+json; charset=utf-8",
                    .id = id};
  }

 private:
  RendererOptions options_;
};

/// What the packs for rows and objects do alike.
class PackRenderer : public Renderer {
 public:
  explicit PackRenderer(std::shared_ptr<const Pack> pack) : pack_(std::move(pack)) {}

  Result<Rendered> render(const wire::DeliveryT& delivery) const final {
    const auto view = view_of(delivery);
    if (!view) return tl::unexpected(view.error());
    std::vector<MappingFault> faults;
    auto bytes = write(EventSource(**view), faults);
    if (!faults.empty()) {
      return fail(ErrorKind::invalid, faults.front().text + " (mapping pack " + pack_->name + ")");
    }
    return Rendered{.bytes = std::move(bytes),
                    .media_type = media_type(),
                    .id = std::string(text_or_empty((*view)->id()))};
  }

 protected:
  virtual Bytes write(const EventSource& source, std::vector<MappingFault>& faults) const = 0;
  virtual const char* media_type() const = 0;

  /// The value as the partner wants it written.
  std::optional<std::string> value(const OutputRule& rule, const EventSource& source, Indices indices,
                                   std::vector<MappingFault>& faults) const {
    auto text = output_value(*pack_, rule, source, indices, faults);
    if (!text) {
      if (rule.required && faults.empty() && holds(rule.when, source, indices)) {
        faults.push_back(
            {"missing_field", rule.name, rule.name + ": it is required, and the view does not have it"});
      }
      return text;
    }
    if (rule.formats.empty()) return text;
    if (const auto time = parse_time(*text)) return format_time(*time, rule.formats.front());
    if (const auto date = parse_date(*text)) return format_date(*date, rule.formats.front());
    return text;
  }

  const Pack& pack() const { return *pack_; }

 private:
  std::shared_ptr<const Pack> pack_;
};

class CsvRenderer final : public PackRenderer {
 public:
  using PackRenderer::PackRenderer;

 private:
  Bytes write(const EventSource& source, std::vector<MappingFault>& faults) const override {
    std::vector<std::string> names;
    std::vector<std::string> fields;
    for (const OutputRule& rule : pack().outputs) {
      names.push_back(rule.name);
      fields.push_back(value(rule, source, {}, faults).value_or(""));
    }
    std::string text = pack().header ? csv::write_row(names, pack().delimiter) : std::string{};
    text += csv::write_row(fields, pack().delimiter);
    return bytes_from(pack().windows1252 ? to_windows1252(text) : text);
  }

  const char* media_type() const override {
    return pack().windows1252 ? "text/csv; charset=windows-1252; header=present" : "text/csv; charset=utf-8";
  }
};

class JsonRenderer final : public PackRenderer {
 public:
  using PackRenderer::PackRenderer;

 private:
  Bytes write(const EventSource& source, std::vector<MappingFault>& faults) const override {
    json::Writer writer;
    for (const OutputRule& rule : pack().outputs) {
      std::vector<std::uint32_t> indices;
      fill(rule, source, indices, writer, faults);
    }
    return bytes_from(writer.finish(false));
  }

  void fill(const OutputRule& rule, const EventSource& source, std::vector<std::uint32_t>& indices,
            json::Writer& writer, std::vector<MappingFault>& faults) const {
    if (indices.size() < rule.to.open_lists()) {
      std::size_t count = 0;
      const auto widen = [&](const SourcePath& path) {
        if (path.open_lists > indices.size()) count = std::max(count, source.count(path, indices));
      };
      if (rule.each) {
        widen(*rule.each);
      } else {
        for (const SourcePath& path : rule.from) widen(path);
        for (const SourcePath& path : rule.compose) widen(path);
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        indices.push_back(i);
        fill(rule, source, indices, writer, faults);
        indices.pop_back();
      }
      return;
    }
    const auto text = value(rule, source, indices, faults);
    if (!text) return;
    if (rule.number) {
      if (auto good = writer.set_json(rule.to, indices, *text); !good) {
        faults.push_back({"bad_value", rule.name, rule.name + ": it is not a number"});
      }
    } else {
      writer.set_text(rule.to, indices, *text);
    }
  }

  const char* media_type() const override { return "application/json"; }
};

}  // namespace

std::unique_ptr<Renderer> make_renderer(std::shared_ptr<const Pack> pack, RendererOptions options) {
  if (pack == nullptr) return std::make_unique<CloudEventRenderer>(std::move(options));
  CAREHUB_ASSERT(pack->direction == Direction::out, "a renderer needs a pack of direction out");
  if (pack->format == Format::csv) return std::make_unique<CsvRenderer>(std::move(pack));
  return std::make_unique<JsonRenderer>(std::move(pack));
}

}  // namespace carehub::adapters
