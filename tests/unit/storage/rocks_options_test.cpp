#include "broker/storage/rocks_options.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using rocksdb::Status;

namespace {

Error error_of(const Status& status) {
  return storage::rocks_error(status, "/srv/carehub/ledger", "the ledger does not open").value();
}

}  // namespace

TEST_CASE("damage and missing files are corrupt, with the place and what was tried") {
  for (const Status& status :
       {Status::Corruption("bad block"), Status::NotFound("no key"), Status::PathNotFound("000012.sst")}) {
    const Error error = error_of(status);
    CHECK(error.kind == ErrorKind::corrupt);
    CHECK(error.text.find("/srv/carehub/ledger: the ledger does not open: ") == 0);
  }
}

TEST_CASE("what a person can put right around a database is unavailable, with the remedy") {
  const Error full = error_of(Status::NoSpace("write"));
  CHECK(full.kind == ErrorKind::unavailable);
  CHECK(full.text.find("The disk is full: make room and restart") != std::string::npos);
  const Error used = error_of(Status::IOError("While lock file: LOCK", "Resource temporarily unavailable"));
  CHECK(used.kind == ErrorKind::unavailable);
  CHECK(used.text.find("Another hub uses it: stop that one first") != std::string::npos);
  for (const Status& status : {Status::IOError("read"), Status::Busy(), Status::TimedOut(),
                               Status::ShutdownInProgress(), Status::Aborted()}) {
    CHECK(error_of(status).kind == ErrorKind::unavailable);
  }
}

TEST_CASE("an error is one line, whatever the database says") {
  CHECK(error_of(Status::Corruption("first\nsecond")).text.find('\n') == std::string::npos);
}

TEST_CASE("both databases check what they read and never resume by themselves after an error") {
  for (const auto& options : {storage::ledger_options(), storage::state_options()}) {
    CHECK(options.paranoid_checks);
    CHECK(options.max_bgerror_resume_count == 0);
  }
}
