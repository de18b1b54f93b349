#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "tests/contract/schemas/schema_fixture.hpp"

namespace {

namespace fs = std::filesystem;
using namespace carehub;

void write(const fs::path& file, BytesView bytes) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) throw std::runtime_error("cannot write " + file.string());
}

/// The copy of one schema, its names, and its fixtures with what they hold.
void release(const fs::path& sources, const fs::path& binaries, const fs::path& out,
             const std::string& name) {
  const auto schema = contract::read_bytes(binaries / (name + ".bfbs"));
  fs::copy_file(sources / (name + ".fbs"), out / (name + ".fbs"), fs::copy_options::overwrite_existing);
  std::string names;
  for (const auto& line : contract::names_of(schema)) names += line + "\n";
  write(out / (name + "_names.txt"), bytes_of(names));
  for (const auto& fixture : contract::fixtures_of(schema, name)) {
    write(out / "fixtures" / (fixture.name + ".bin"), fixture.bytes);
    write(out / "fixtures" / (fixture.name + ".txt"), bytes_of(contract::dump(schema, fixture.bytes)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: release_schemas SCHEMA_SOURCES BINARY_SCHEMAS RELEASE_DIRECTORY\n");
    return 2;
  }
  try {
    const fs::path out = argv[3];
    fs::remove_all(out);
    fs::create_directories(out / "fixtures");
    for (const char* name : {"event", "ledger", "wire"}) release(argv[1], argv[2], out, name);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "release_schemas: %s\n", error.what());
    return 1;
  }
  return 0;
}
