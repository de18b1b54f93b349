#include "broker/core/rules.hpp"

namespace carehub::core {

Bytes filter_bytes(const ledger::FilterT& filter) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Filter::Pack(builder, &filter));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace carehub::core
