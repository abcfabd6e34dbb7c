package dev.wok.serve;

import dev.wok.api.Model;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.util.List;
import java.util.Optional;

/// One model, which knows some conversations.
final class ParrotModels implements Models, AutoCloseable {
    private static final long CREATED = 1_700_000_000;

    final Model model;

    ParrotModels(Family family) {
        model = Model.load(Parrot.usual(family));
    }

    @Override
    public List<String> names() {
        return List.of("parrot");
    }

    @Override
    public Listed listed(String name) {
        if (!name.isEmpty() && !name.equals("parrot")) {
            throw new Refusal(404, "invalid_request_error", "there is no model " + name, "model", "model_not_found");
        }
        return new Listed("parrot", CREATED);
    }

    @Override
    public Named model(String name) {
        return new Named(listed(name).name(), CREATED, Optional.empty(), model);
    }

    @Override
    public void close() {
        model.close();
    }
}
