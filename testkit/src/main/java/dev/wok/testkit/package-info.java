/// What tests share: seeded cases that shrink, comparison of tensors with stated bounds, gradient checks, fakes.
@org.jspecify.annotations.NullMarked
package dev.wok.testkit;
