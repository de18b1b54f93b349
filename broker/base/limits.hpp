#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound of the hub that is not configuration. Sizes in bytes, times in milliseconds, counts in pieces.
namespace carehub::limits {

// One message
constexpr std::size_t kEventBytesMax = 1U << 20U;
constexpr std::size_t kOriginalBytesMax = 4U << 20U;
constexpr std::uint32_t kEventDepthMax = 16;  // tables within tables
constexpr std::uint32_t kEventTablesMax = 65'536;
constexpr std::size_t kListItemsMax = 10'000;  // of one list in an event
constexpr std::size_t kFieldBytesMax = 4096;   // of one text in an event: a name, a code, a number
constexpr std::size_t kProseBytesMax = 512U
                                       << 10U;     // of one text that a person writes: a narrative, a letter
constexpr std::size_t kReplacementBytesMax = 512;  // of a policy's fixed text
constexpr std::size_t kIdentityBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 128;  // agency, channel, subscription, role
constexpr std::size_t kErrorTextBytesMax = 1024;

// The wire
constexpr std::size_t kFrameBytesMax = 8U << 20U;
constexpr std::size_t kPublishItemsMax = 1024;
constexpr std::size_t kPublishBytesMax = 6U << 20U;  // of one Publish frame
constexpr std::size_t kDeliverItemsMax = 256;
constexpr std::size_t kDeliverBytesMax = 2U << 20U;
constexpr std::size_t kConnectionsMax = 1024;
constexpr std::uint32_t kHeartbeatMs = 2'000;
constexpr std::uint32_t kPeerSilenceMs = 10'000;

// The loop
constexpr std::size_t kDrainFramesMax = 256;        // read before a batch is decided
constexpr std::size_t kBatchEntriesMax = 4096;      // entries of one append
constexpr std::size_t kBatchBytesMax = 16U << 20U;  // of one append
constexpr std::size_t kUnsyncedBatchesMax = 1;      // a batch is decided while another syncs, no more

// Deliveries
constexpr std::uint32_t kCreditMax = 4096;             // deliveries in flight of one subscription
constexpr std::size_t kInFlightBytesMax = 16U << 20U;  // views in flight of one subscription
constexpr std::size_t kWindowMax =
    8192;  // waiting deliveries a subscription keeps in memory; the rest is on disk
constexpr std::size_t kSubscriptionsMax = 1024;
constexpr std::size_t kClientSubscriptionsMax = 32;  // durable ones that one agency's clients made
constexpr std::size_t kFilterBytesMax = 64U << 10U;  // of a filter that a peer sends
constexpr std::uint32_t kAckWaitMs = 30'000;
constexpr std::uint32_t kAttemptsMax = 8;
constexpr std::uint32_t kBackoffFirstMs = 500;
constexpr std::uint32_t kBackoffMaxMs = 60'000;
constexpr std::size_t kViewCacheBytesMax = 32U << 20U;

// The client
constexpr std::size_t kClientPublishQueueMax = 4096;  // publications without an outcome yet
constexpr std::size_t kClientPublishQueueBytesMax = 64U << 20U;
constexpr std::uint32_t kClientReconnectFirstMs = 50;
constexpr std::uint32_t kClientReconnectMaxMs = 5'000;
constexpr std::size_t kQueryRowsMax = 1000;

// Adapters
constexpr std::size_t kMllpFrameBytesMax = 4U << 20U;
constexpr std::size_t kMllpConnectionsMax = 1024;
constexpr std::size_t kMllpInFlightMax = 64;  // messages of one connection without an answer yet
constexpr std::uint32_t kMllpFrameMs = 30'000;
constexpr std::size_t kHttpBodyBytesMax = 6U << 20U;
constexpr std::size_t kHttpHeaderBytesMax = 16U << 10U;
constexpr std::size_t kHttpConnectionsMax = 1024;
constexpr std::uint32_t kHttpTimeoutMs = 30'000;
constexpr std::size_t kFileBytesMax = 64U << 20U;
constexpr std::size_t kCsvFieldBytesMax = 64U << 10U;
constexpr std::size_t kCsvColumnsMax = 1024;
constexpr std::size_t kHl7SegmentsMax = 4096;
constexpr std::size_t kHl7RepetitionsMax = 256;

// Configuration
constexpr std::size_t kConfigBytesMax = 4U << 20U;

// The vault
constexpr std::size_t kVaultBlockKeys = 256;  // minted and synced ahead of use

}  // namespace carehub::limits
