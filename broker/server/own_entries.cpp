#include "broker/server/own_entries.hpp"

#include <future>
#include <utility>

#include "broker/base/limits.hpp"

namespace carehub::server {
namespace {

template <class Entry>
Bytes packed(Entry entry) {
  ledger::BodyT body;
  body.entry.Set(std::move(entry));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Body::Pack(builder, &body));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace

Bytes body_bytes(ledger::OperatorActionT action) { return packed(std::move(action)); }
Bytes body_bytes(ledger::ErasureT erasure) { return packed(std::move(erasure)); }

Result<void> OwnEntries::add(storage::EntryKind kind, const Bytes& body) {
  if (batch_.empty()) sealer_.begin_batch();
  auto sealed = sealer_.seal(kind, key_, next_, at_, body);
  if (!sealed) return tl::unexpected(sealed.error());
  ++next_;
  batch_.push_back(std::move(*sealed));
  return batch_.size() < limits::kBatchEntriesMax ? Result<void>() : flush();
}

Result<void> OwnEntries::flush() {
  if (batch_.empty()) return {};
  std::promise<Result<Sequence>> appended;
  ledger_.append(std::exchange(batch_, {}),
                 [&](Result<Sequence> done) { appended.set_value(std::move(done)); });
  if (auto done = appended.get_future().get(); !done) return tl::unexpected(done.error());
  return {};
}

}  // namespace carehub::server
