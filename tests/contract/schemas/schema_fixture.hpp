#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "broker/base/bytes.hpp"

/// Fixtures of a schema, by reflection: the same code fills, reads and names whatever event.fbs, ledger.fbs
/// and wire.fbs say at the moment, so that what a release wrote can be held against what a later schema
/// reads.
namespace carehub::contract {

struct Fixture {
  std::string name;  // event_admission, ledger_offered, wire_publish
  Bytes bytes;
};

/// `schema` is a binary schema (flatc --schema --binary --bfbs-builtins) whose root is Event, Body or Frame.
/// One fixture for each value of the root's type or union, each with every field filled. The same schema
/// gives the same bytes.
std::vector<Fixture> fixtures_of(const Bytes& schema, const std::string& schema_name);

/// Every field that the schema finds in the bytes, one a line, with its place in the vtable and, for
/// enumerations, name and number:  person.names[0].use @4 = 3 alias
std::string dump(const Bytes& schema, const Bytes& fixture);

/// Every table field and enumeration value of the schema, one a line, with number, type and default.
std::vector<std::string> names_of(const Bytes& schema);

Bytes read_bytes(const std::filesystem::path& file);
std::string read_text(const std::filesystem::path& file);

}  // namespace carehub::contract
