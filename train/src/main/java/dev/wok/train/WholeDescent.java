package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.model.Model;
import dev.wok.model.Training;
import java.nio.file.Path;

/// One rank with all weights and their whole gradients, on any device.
final class WholeDescent implements Descent {
    private final Optimizer optimizer;
    private final Device device;

    WholeDescent(Model model, Optimizer.Constants constants) {
        optimizer = new Optimizer(model.kernels(), model.parameters(), constants);
        device = model.kernels().stream().device();
    }

    @Override
    public void move(ExpertPlaces.Next next) {
        throw new IllegalStateException("experts of a model that one rank has were to go to another");
    }

    @Override
    public void finished(Training training, long from, long to) {}

    @Override
    public double norm(Training training) {
        return optimizer.norm(training.gradients());
    }

    @Override
    public void update(Training training, long step, double learningRate) {
        optimizer.update(training.gradients(), step, learningRate);
    }

    @Override
    public boolean isFinite() {
        return optimizer.isFinite();
    }

    @Override
    public void write(Path file) {
        Checkpoint.writeOptimizer(file, optimizer.state(), device::download);
    }

    @Override
    public void give() {
        throw new IllegalStateException("a model that one rank has was to be given to another");
    }

    @Override
    public void restore(Path file) {
        Checkpoint.restore(file, optimizer.state(), device);
    }

    @Override
    public void close() {
        optimizer.close();
    }
}
