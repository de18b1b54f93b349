#pragma once

#include <array>
#include <catch2/catch.hpp>

#include "broker/core/work_note.hpp"

namespace carehub::fakes {

using NotePage = std::array<std::byte, core::WorkNote::kBytes>;

/// A run that ends while it is at this: what the next one finds on the page.
inline void fall(NotePage& page, const core::Work& work) {
  NotePage at_its_end{};
  {
    core::WorkNote note(page);
    const auto under_way = note.begin(work);
    REQUIRE(under_way);
    at_its_end = page;
  }
  page = at_its_end;
}

}  // namespace carehub::fakes
