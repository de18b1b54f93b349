// Appends to a ledger until it is killed or the ledger fails, and writes each completed sequence to standard
// output as 8 raw bytes. Usage: ledger_appender DATA SEED [FILE_BYTES_MAX] Ends with 0 when the ledger failed
// `unavailable` and stayed so, 1 when anything else went wrong.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>

#include "broker/storage/rocks_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"

namespace {

using carehub::Result;
using carehub::Sequence;

bool limit_files(const char* bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlim_t most = std::strtoull(bytes, nullptr, 10);
  const rlimit limit{most, most};
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

Result<Sequence> append(carehub::storage::Ledger& ledger, std::vector<carehub::storage::SealedEntry> batch) {
  std::promise<Result<Sequence>> outcome;
  ledger.append(std::move(batch), [&](Result<Sequence> result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 1;
  const std::uint64_t seed = std::strtoull(arguments[2], nullptr, 10);
  auto opened = carehub::storage::RocksLedger::open(arguments[1]);
  if (!opened) {
    static_cast<void>(std::fprintf(stderr, "%s\n", opened.error().text.c_str()));
    return 1;
  }
  if (count > 3 && !limit_files(arguments[3])) return 1;
  carehub::storage::Ledger& ledger = *opened->ledger;
  carehub::fakes::SeededRandom random(seed + ledger.head());
  while (true) {
    const Sequence first = ledger.head() + 1;
    const Result<Sequence> done =
        append(ledger, carehub::fakes::sealed_batch(seed, first, 1 + random.below(8)));
    if (!done) {
      const Result<Sequence> again = append(ledger, carehub::fakes::sealed_batch(seed, first, 1));
      const bool stays = !again && again.error().kind == carehub::ErrorKind::unavailable &&
                         done.error().kind == carehub::ErrorKind::unavailable;
      static_cast<void>(std::fprintf(stderr, "%s\n", done.error().text.c_str()));
      return stays ? 0 : 1;
    }
    const Sequence head = *done;
    if (::write(STDOUT_FILENO, &head, sizeof head) != static_cast<ssize_t>(sizeof head)) return 1;
  }
}
