#pragma once

#include <optional>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "schemas/wire_generated.h"

/// Outgoing frames of the wire protocol as bytes.
namespace carehub::core {

wire::ErrorKind to_wire(ErrorKind kind);

Bytes published_frame(const std::vector<wire::PublishOutcomeT>& outcomes);
/// `subscription` is the one that has ended by it.
Bytes rejected_frame(ErrorKind kind, const std::string& text, bool closing = false, std::uint64_t number = 0,
                     const std::string& subscription = {});
Bytes subscribed_frame(const std::string& name, Sequence head);
/// `replay_of`: the subscription that this one replays into.
Bytes deliver_frame(const std::string& subscription, const std::vector<wire::DeliveryT>& deliveries,
                    const std::string& replay_of = {});
/// `subscription` is the one that was made.
Bytes handled_frame(std::uint64_t number, std::optional<ErrorKind> error, const std::string& text,
                    Sequence sequence, const std::string& subscription = {});
/// With all that the table may say.
Bytes handled_frame(const wire::HandledT& handled);
Bytes page_frame(const wire::PageT& page);
Bytes replayed_frame(const wire::ReplayedT& replayed);
Bytes erased_frame(const wire::ErasedT& erased);
Bytes backed_up_frame(const wire::BackedUpT& backed_up);

/// The rejection as Page, Replayed or Handled, so that the client's question ends.
Bytes refused_page(std::uint64_t number, ErrorKind kind, const std::string& text);
Bytes refused_replay(std::uint64_t number, ErrorKind kind, const std::string& text);
/// The last frame about a backup that was not made.
Bytes backup_failed_frame(std::uint64_t number, ErrorKind kind, const std::string& text);

}  // namespace carehub::core
