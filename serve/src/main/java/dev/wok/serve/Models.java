package dev.wok.serve;

import dev.wok.api.Model;
import java.util.List;
import java.util.Optional;

/// The models that are served, by name; each is loaded when it is first asked for.
interface Models {
    /// @return in the order in which they were given
    List<String> names();

    /// @param name one of [#names] or an alias; empty for the first
    /// @return the model, loaded
    /// @throws Refusal (404, `model_not_found`) where there is none
    Named model(String name);

    /// @param request whose field `model` is the name, where it has one
    /// @return as [#model]
    /// @throws Refusal as [#model]
    default Named named(Fields request) {
        return model(request.text("model").orElse(""));
    }

    /// @param name as for [#model]
    /// @return what is known of the model without loading it
    /// @throws Refusal (404, `model_not_found`) where there is none
    Listed listed(String name);

    /// @param message what a model says is wrong
    /// @return it for clients, whom it does not concern where the files of models are
    default String told(String message) {
        return message;
    }

    /// A model, loaded or not.
    ///
    /// @param name one of [#names]
    /// @param created when it was made or last written, in seconds since 1970
    record Listed(String name, long created) {}

    /// A model and what it is called.
    ///
    /// @param name one of [#names]
    /// @param created when it was made or last written, in seconds since 1970
    /// @param thinks whether thoughts are on where the request doesn't say; an alias may differ from
    ///     its model
    record Named(String name, long created, Optional<Boolean> thinks, Model model) {}
}
