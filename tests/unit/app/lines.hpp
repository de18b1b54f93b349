#pragma once

#include <sstream>
#include <string>

#include "tests/fakes/awaited.hpp"

namespace carehub::test {

/// Text that another thread writes: what there is at each flush is told.
class Lines : public std::stringbuf {
 public:
  fakes::Awaited<std::string> written;

 private:
  int sync() override {
    written.give(str());
    return 0;
  }
};

}  // namespace carehub::test
