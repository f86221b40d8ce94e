# SPDX-License-Identifier: Apache-2.0
# Two targets for newcomers; CMake does the work.
.PHONY: help demo check nightly bench clean
help:
	@echo "make demo    build sufc and run private inference on two trained models (minutes, no GPU, no Python)"
	@echo "make check   build everything and run all tests"

demo:
	@tools/deps.sh
	@echo "building sufc (build/release) ..."
	@mkdir -p build
	@{ cmake --preset release && cmake --build --preset release --target sufc suf npy; } >build/demo.log 2>&1 \
		|| { tail -n 40 build/demo.log; exit 1; }
	@tools/demo.sh build/release

check:
	@tools/deps.sh valgrind
	cmake --preset release
	cmake --build --preset release
	ctest --preset release

# For maintainers.
nightly: check
	for p in asan tsan clang; do cmake --preset $$p && cmake --build --preset $$p && ctest --test-dir build/$$p --output-on-failure || exit 1; done

bench:
	@tools/deps.sh
	cmake --preset release
	cmake --build --preset release --target sufc suf npy predict
	tools/bench_bert.sh build/release
	tools/bench_bert.sh build/release --model bert-full

clean:
	rm -rf build
