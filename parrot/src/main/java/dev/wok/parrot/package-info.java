/// A tiny model that learnt some conversations by heart: what answers in the tests of all that stands on a model.
@org.jspecify.annotations.NullMarked
package dev.wok.parrot;
