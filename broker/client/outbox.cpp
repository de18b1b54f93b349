#include "broker/client/outbox.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "broker/base/event_fields.hpp"
#include "broker/base/wire_frame.hpp"

namespace carehub::client {

namespace {

constexpr std::size_t kCompressBytesMin = 256;
constexpr std::size_t kItemOverheadBytes = 128;
constexpr std::uint8_t kCodecZstd = 1;
constexpr std::uint32_t kRetryFirstMs = 20;
constexpr std::uint32_t kRetryMaxMs = 1'000;

Result<void> check(const Publication& publication) {
  if (publication.problem.has_value() != publication.event.empty()) {
    return fail(ErrorKind::invalid, "a publication has either an event or a problem");
  }
  if (publication.channel.size() > limits::kNameBytesMax) {
    return fail(ErrorKind::invalid, "publication: the channel's name has more than 128 bytes");
  }
  if (publication.event.size() > limits::kEventBytesMax) {
    return fail(ErrorKind::invalid, "publication: the event is larger than 1 MiB");
  }
  if (publication.original.size() > limits::kOriginalBytesMax) {
    return fail(ErrorKind::invalid, "publication: the original is larger than 4 MiB");
  }
  if (publication.identity.size() > limits::kIdentityBytesMax) {
    return fail(ErrorKind::invalid, "publication: the identity is larger than 1024 bytes");
  }
  if (!publication.problem && verified_event(publication.event) == nullptr) {
    return fail(ErrorKind::invalid, "publication: the event is not an Event of event.fbs");
  }
  return {};
}

void cut(std::string& text) {
  if (text.size() <= limits::kErrorTextBytesMax) return;
  std::size_t end = limits::kErrorTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;  // not inside a character
  text.resize(end);
}

/// Returns the codec: compressed only where that makes it smaller.
std::uint8_t compress_original(Bytes& original) {
  if (original.size() <= kCompressBytesMin) return 0;
  // Making a context costs half as much as compressing a message.
  thread_local const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                                     ZSTD_freeCCtx);
  Bytes packed(ZSTD_compressBound(original.size()));
  const std::size_t size =
      ZSTD_compressCCtx(context.get(), packed.data(), packed.size(), original.data(), original.size(), 1);
  if (ZSTD_isError(size) != 0U || size >= original.size()) return 0;
  packed.resize(size);
  packed.shrink_to_fit();
  original = std::move(packed);
  return kCodecZstd;
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes_vector(flatbuffers::FlatBufferBuilder& builder,
                                                                    BytesView bytes) {
  if (bytes.empty()) return 0;
  return builder.CreateVector(bytes.data(), bytes.size());
}

flatbuffers::Offset<flatbuffers::String> text(flatbuffers::FlatBufferBuilder& builder,
                                              const std::string& value) {
  if (value.empty()) return 0;
  return builder.CreateString(value);
}

flatbuffers::Offset<wire::PublishItem> pack(flatbuffers::FlatBufferBuilder& builder, std::uint64_t number,
                                            const Outgoing& item) {
  const Publication& from = item.publication;
  const auto channel = builder.CreateString(from.channel);
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> event = 0;
  flatbuffers::Offset<wire::Problem> problem = 0;
  if (from.problem) {
    problem = wire::Problem::Pack(builder, &*from.problem);
  } else {
    builder.ForceVectorAlignment(from.event.size(), 1, 8);  // the reader uses it in place
    event = builder.CreateVector(from.event.data(), from.event.size());
  }
  const auto identity = bytes_vector(builder, from.identity);
  const auto content = bytes_vector(builder, from.content_hash);
  const auto original = bytes_vector(builder, from.original);
  const auto media_type = text(builder, from.original_media_type);
  return wire::CreatePublishItem(builder, number, channel, event, identity, content, from.on_reuse, original,
                                 item.original_codec, media_type, problem);
}

std::string string_of(const flatbuffers::String* value) {
  return value == nullptr ? std::string() : value->str();
}

PublishResult result_of(const wire::PublishOutcome& outcome) {
  switch (outcome.outcome()) {
    case wire::Outcome::receipt:
    case wire::Outcome::duplicate: {
      Receipt receipt{outcome.sequence(),
                      Timestamp{outcome.appended_at()},
                      outcome.outcome() == wire::Outcome::duplicate,
                      {}};
      if (outcome.marks() != nullptr) {
        for (const auto mark : *outcome.marks()) receipt.marks.push_back(static_cast<ledger::Mark>(mark));
      }
      return receipt;
    }
    case wire::Outcome::refused:
      return Refused{static_cast<ErrorKind>(outcome.kind()), string_of(outcome.code()),
                     string_of(outcome.place()), string_of(outcome.text()), outcome.sequence()};
    case wire::Outcome::not_kept: return NotKept{string_of(outcome.text())};
    case wire::Outcome::failed:
    case wire::Outcome::unknown: break;
  }
  return Error{static_cast<ErrorKind>(outcome.kind()), string_of(outcome.text())};
}

/// The hub could not take it now, and nothing of it was kept.
bool is_to_be_sent_again(const wire::PublishOutcome& outcome) {
  return outcome.outcome() == wire::Outcome::failed &&
         (outcome.kind() == wire::ErrorKind::overloaded || outcome.kind() == wire::ErrorKind::unavailable);
}

}  // namespace

Result<Outgoing> outgoing(Publication publication, std::function<void(PublishResult)> done) {
  if (auto checked = check(publication); !checked) return tl::unexpected(checked.error());
  if (publication.problem) {
    cut(publication.problem->code);
    cut(publication.problem->place);
    cut(publication.problem->text);
  }
  Outgoing item;
  item.original_codec = compress_original(publication.original);
  item.bytes = kItemOverheadBytes + publication.event.size() + publication.original.size() +
               publication.identity.size() + publication.channel.size() +
               publication.original_media_type.size();
  if (publication.problem) item.bytes += 3 * limits::kErrorTextBytesMax;
  item.publication = std::move(publication);
  item.done = std::move(done);
  return item;
}

void Outbox::add(Outgoing item) { slots_.push_back(Slot{std::move(item), false}); }

Outbox::Slot* Outbox::slot(std::uint64_t number) {
  if (number < first_ || number - first_ >= slots_.size()) return nullptr;
  return &slots_[number - first_];
}

std::optional<Bytes> Outbox::next_frame(const Window& window, std::int64_t now_ms) {
  if (now_ms < retry_at_ms_) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  std::size_t bytes = 0;
  const auto take = [&](std::uint64_t number) {
    Slot& next = *slot(number);
    if (in_flight_ >= window.in_flight_max || numbers.size() >= limits::kPublishItemsMax) return false;
    if (!numbers.empty() && bytes + next.item->bytes > window.frame_bytes_max) return false;
    bytes += next.item->bytes;
    next.in_flight = true;
    ++in_flight_;
    numbers.push_back(number);
    return true;
  };
  while (!again_.empty() && take(*again_.begin())) again_.erase(again_.begin());
  if (again_.empty()) {
    for (; next_ - first_ < slots_.size(); ++next_) {
      const Slot& next = *slot(next_);
      if (next.item && !take(next_)) break;
    }
  }
  if (numbers.empty()) return std::nullopt;

  flatbuffers::FlatBufferBuilder builder(bytes + 256);
  std::vector<flatbuffers::Offset<wire::PublishItem>> items;
  items.reserve(numbers.size());
  for (const std::uint64_t number : numbers) items.push_back(pack(builder, number, *slot(number)->item));
  const auto publish = wire::CreatePublish(builder, builder.CreateVector(items));
  wire::FinishFrameBuffer(
      builder, wire::CreateFrame(builder, kWireMajor, kWireMinor, wire::Message::Publish, publish.Union()));
  return finished_bytes(builder);
}

std::optional<Outbox::Finished> Outbox::outcome(const wire::PublishOutcome& outcome, std::int64_t now_ms) {
  Slot* found = slot(outcome.number());
  if (found == nullptr || !found->item || !found->in_flight) return std::nullopt;
  found->in_flight = false;
  --in_flight_;
  if (is_to_be_sent_again(outcome)) {
    again_.insert(outcome.number());
    if (now_ms >= retry_at_ms_) {
      backoff_ms_ = std::min(kRetryMaxMs, std::max(kRetryFirstMs, 2 * backoff_ms_));
      retry_at_ms_ = now_ms + backoff_ms_;
    }
    return std::nullopt;
  }
  backoff_ms_ = 0;
  Finished finished{std::move(*found->item), result_of(outcome)};
  found->item.reset();
  while (!slots_.empty() && !slots_.front().item) {
    slots_.pop_front();
    ++first_;
  }
  next_ = std::max(next_, first_);
  return finished;
}

void Outbox::rewind() {
  for (Slot& each : slots_) each.in_flight = false;
  in_flight_ = 0;
  next_ = first_;
  again_.clear();
  retry_at_ms_ = 0;
}

std::vector<Outgoing> Outbox::take_all() {
  std::vector<Outgoing> items;
  for (Slot& each : slots_) {
    if (each.item) items.push_back(std::move(*each.item));
  }
  first_ += slots_.size();
  next_ = first_;
  slots_.clear();
  again_.clear();
  in_flight_ = 0;
  return items;
}

std::optional<std::int64_t> Outbox::retry_at_ms() const {
  if (again_.empty()) return std::nullopt;
  return retry_at_ms_;
}

}  // namespace carehub::client
