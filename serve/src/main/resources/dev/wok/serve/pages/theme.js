// Light or dark, before the page is shown: as the system says, or as was chosen here.

(() => {
    const key = 'wok.theme';
    const names = {auto: 'as the system', light: 'light', dark: 'dark'};

    const chosen = () => {
        try {
            const value = localStorage.getItem(key);
            return Object.hasOwn(names, value) ? value : 'auto';
        } catch {
            return 'auto';
        }
    };
    const show = theme => {
        document.documentElement.dataset.theme = theme;
        for (const button of document.querySelectorAll('[data-theme-toggle]')) {
            button.setAttribute('aria-label', `Colours: ${names[theme]}`);
            button.title = `Colours: ${names[theme]}`;
        }
    };

    show(chosen());
    addEventListener('storage', event => event.key === key && show(chosen()));
    addEventListener('DOMContentLoaded', () => {
        show(chosen());
        for (const button of document.querySelectorAll('[data-theme-toggle]')) {
            button.addEventListener('click', () => {
                const order = Object.keys(names);
                const next = order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length];
                show(next);
                try {
                    localStorage.setItem(key, next);
                } catch {
                    // Then it holds for this page only.
                }
            });
        }
    });
})();
