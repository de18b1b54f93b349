#include "adapters/console/password_worker.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "tests/unit/console/sample_accounts.hpp"

using namespace carehub;
using adapters::PasswordWorker;

TEST_CASE("passwords are compared away from who asks, and no more than a few wait") {
  PasswordWorker worker;
  std::promise<void> go;
  std::promise<bool> right;
  // The first answer holds the worker until the others have been asked for.
  REQUIRE(worker.compare(test::password_hash(), test::secret(test::kPassword), [&](bool is_right) {
    right.set_value(is_right);
    go.get_future().wait();
  }));
  CHECK(right.get_future().get());
  std::vector<std::promise<bool>> wrong(PasswordWorker::kWaitingMax);
  for (auto& each : wrong)
    CHECK(worker.compare("no hash", test::secret("wrong"),
                         [&each](bool is_right) { each.set_value(is_right); }));
  CHECK_FALSE(worker.compare("no hash", test::secret("one too many"), [](bool) { FAIL("it was refused"); }));
  go.set_value();
  for (auto& each : wrong) CHECK_FALSE(each.get_future().get());
}
