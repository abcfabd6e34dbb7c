/// What a framework provides, as a service, to give builders of its own.
@org.jspecify.annotations.NullMarked
package dev.wok.langchain4j.spi;
