#include "broker/app/input_file.hpp"

#include <array>
#include <fstream>
#include <istream>

#include "broker/base/limits.hpp"

namespace carehub::app {
namespace {

Result<std::string> read_all(std::istream& in, const std::string& name) {
  std::string text;
  std::array<char, 65536> part{};
  while (in.read(part.data(), part.size()) || in.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > limits::kFileBytesMax) return fail(ErrorKind::invalid, name + " is larger than 64 MiB");
  }
  if (in.bad() || text.empty())
    return fail(ErrorKind::invalid, name + (in.bad() ? " cannot be read" : " is empty"));
  return text;
}

}  // namespace

Result<std::string> read_input(const std::string& file, Surroundings& surroundings) {
  if (file == "-") return read_all(surroundings.in, "standard input");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::invalid, file + " cannot be read");
  return read_all(in, file);
}

}  // namespace carehub::app
