#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

template <class Table>
Bytes finish(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<Table> message) {
  const auto frame =
      wire::CreateFrame(builder, 1, 0, wire::MessageTraits<Table>::enum_value, message.Union());
  builder.Finish(frame, wire::FrameIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

/// Packs one whole object of the generated API.
template <class Object>
Bytes packed(const Object& object) {
  flatbuffers::FlatBufferBuilder builder;
  return finish(builder, Object::TableType::Pack(builder, &object));
}

/// Views are FlatBuffers of their own and must stay aligned, or a reader would have to copy them first.
flatbuffers::Offset<wire::Delivery> pack_aligned(flatbuffers::FlatBufferBuilder& builder,
                                                 const wire::DeliveryT& delivery) {
  constexpr std::size_t kAlignment = 8;
  builder.ForceVectorAlignment(delivery.view.size(), sizeof(std::uint8_t), kAlignment);
  const auto view = builder.CreateVector(delivery.view);
  const auto legal_basis = builder.CreateString(delivery.legal_basis);
  const auto marks = delivery.marks.empty() ? 0 : builder.CreateVector(delivery.marks);
  return wire::CreateDelivery(builder, delivery.sequence, delivery.attempt, delivery.appended_at,
                              delivery.type, delivery.person.get(), view, legal_basis, delivery.late,
                              delivery.after_gap, delivery.replay, marks);
}

}  // namespace

wire::ErrorKind to_wire(ErrorKind kind) { return static_cast<wire::ErrorKind>(kind); }

Bytes published_frame(const std::vector<wire::PublishOutcomeT>& outcomes) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::PublishOutcome>> packed_outcomes;
  packed_outcomes.reserve(outcomes.size());
  for (const auto& outcome : outcomes)
    packed_outcomes.push_back(wire::PublishOutcome::Pack(builder, &outcome));
  return finish(builder, wire::CreatePublished(builder, builder.CreateVector(packed_outcomes)));
}

Bytes rejected_frame(ErrorKind kind, const std::string& text, bool closing, std::uint64_t number,
                     const std::string& subscription) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = subscription.empty() ? 0 : builder.CreateString(subscription);
  return finish(builder, wire::CreateRejected(builder, to_wire(kind), builder.CreateString(text), closing,
                                              number, name));
}

Bytes subscribed_frame(const std::string& name, Sequence head) {
  flatbuffers::FlatBufferBuilder builder;
  return finish(builder, wire::CreateSubscribed(builder, builder.CreateString(name), head));
}

Bytes deliver_frame(const std::string& subscription, const std::vector<wire::DeliveryT>& deliveries,
                    const std::string& replay_of) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Delivery>> packed_deliveries;
  packed_deliveries.reserve(deliveries.size());
  for (const auto& delivery : deliveries) packed_deliveries.push_back(pack_aligned(builder, delivery));
  const auto name = builder.CreateString(subscription);
  const auto all = builder.CreateVector(packed_deliveries);
  const auto into = replay_of.empty() ? 0 : builder.CreateString(replay_of);
  return finish(builder, wire::CreateDeliver(builder, name, all, into));
}

Bytes handled_frame(std::uint64_t number, std::optional<ErrorKind> error, const std::string& text,
                    Sequence sequence, const std::string& subscription) {
  flatbuffers::FlatBufferBuilder builder;
  const auto kind = error ? to_wire(*error) : wire::ErrorKind::unknown;
  const auto words = builder.CreateString(text);
  const auto name = subscription.empty() ? 0 : builder.CreateString(subscription);
  return finish(builder, wire::CreateHandled(builder, number, kind, words, sequence, name));
}

Bytes handled_frame(const wire::HandledT& handled) { return packed(handled); }
Bytes page_frame(const wire::PageT& page) { return packed(page); }
Bytes replayed_frame(const wire::ReplayedT& replayed) { return packed(replayed); }
Bytes erased_frame(const wire::ErasedT& erased) { return packed(erased); }
Bytes backed_up_frame(const wire::BackedUpT& backed_up) { return packed(backed_up); }

Bytes refused_page(std::uint64_t number, ErrorKind kind, const std::string& text) {
  wire::PageT page;
  page.number = number;
  page.error = to_wire(kind);
  page.text = text;
  return page_frame(page);
}

Bytes refused_replay(std::uint64_t number, ErrorKind kind, const std::string& text) {
  wire::ReplayedT replayed;
  replayed.number = number;
  replayed.last = true;
  replayed.error = to_wire(kind);
  replayed.text = text;
  return replayed_frame(replayed);
}

Bytes backup_failed_frame(std::uint64_t number, ErrorKind kind, const std::string& text) {
  wire::BackedUpT told;
  told.number = number;
  told.last = true;
  told.error = to_wire(kind);
  told.text = text;
  return backed_up_frame(told);
}

}  // namespace carehub::core
