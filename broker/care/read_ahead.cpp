#include "broker/care/read_ahead.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kOpenedBytesMax = kScanBytes;  // of bodies that are kept; one may be larger

}  // namespace

ReadAhead::ReadAhead(const PastReader& past, Sequence from) : first_(from) {
  const auto sealed = past.ledger().read(from, kScanEntries, kScanBytes);
  if (!sealed) return;
  std::size_t bytes = 0;
  for (const auto& entry : *sealed) {
    Bytes body;
    if (entry.header.kind == storage::EntryKind::event) {
      auto opened = past.opened(entry);
      if (!opened && opened.error().kind != ErrorKind::not_found) return;
      if (opened) body = std::move(*opened);
    }
    bytes += body.size();
    entries_.push_back({entry.header, std::move(body)});
    if (bytes >= kOpenedBytesMax) return;
  }
}

}  // namespace carehub::care
