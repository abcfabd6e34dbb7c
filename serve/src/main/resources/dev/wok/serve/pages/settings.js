// What is sent beside the conversation. What is not set is not sent, so that the server's or the model's own holds.

const KEY = 'wok.settings';

/** name in the form -> how it stands in the request */
const NUMBERS = ['temperature', 'top_p', 'top_k', 'min_p', 'max_tokens', 'seed'];

export class Settings {
    #form;
    #values;
    #onChange;

    /** @param {HTMLFormElement} form its inputs have the names of the values */
    constructor(form, onChange) {
        this.#form = form;
        this.#onChange = onChange;
        this.reread();
        form.addEventListener('input', () => this.#take());
        form.addEventListener('reset', event => {
            event.preventDefault();
            this.#values = {};
            this.#keep();
            this.#show();
        });
    }

    /** Takes what another page chose. */
    reread() {
        try {
            const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
            this.#values = kept !== null && typeof kept === 'object' ? kept : {};
        } catch {
            this.#values = {};
        }
        this.#show();
    }

    /** @return {number} how many are not as they were at first */
    get changed() {
        return Object.keys(this.#values).length;
    }

    /** @return {object} fields of the request, and the first message where there is a system prompt */
    get request() {
        const fields = {};
        for (const name of NUMBERS) {
            if (typeof this.#values[name] === 'number') {
                fields[name] = this.#values[name];
            }
        }
        const {thinking, reasoning_effort: effort} = this.#values;
        if (thinking === 'enabled' || thinking === 'disabled') {
            fields.thinking = {type: thinking};
        }
        if (effort && thinking !== 'disabled') {
            fields.reasoning_effort = effort;
        }
        return fields;
    }

    get system() {
        return typeof this.#values.system === 'string' ? this.#values.system : '';
    }

    #inputs() {
        return [...this.#form.elements].filter(input => input.name);
    }

    #take() {
        const values = {};
        for (const input of this.#inputs()) {
            const bad = !input.validity.valid;
            input.setAttribute('aria-invalid', bad);
            this.#form.querySelector(`[data-for="${input.name}"]`)?.replaceChildren(bad ? input.validationMessage : '');
            if (!bad && input.value.trim() !== '') {
                values[input.name] = NUMBERS.includes(input.name) ? input.valueAsNumber : input.value;
            }
        }
        this.#values = values;
        this.#keep();
    }

    #keep() {
        try {
            localStorage.setItem(KEY, JSON.stringify(this.#values));
        } catch {
            // Then they hold until the page is closed.
        }
        this.#onChange(this);
    }

    #show() {
        for (const input of this.#inputs()) {
            input.value = this.#values[input.name] ?? '';
            input.removeAttribute('aria-invalid');
            this.#form.querySelector(`[data-for="${input.name}"]`)?.replaceChildren();
        }
        this.#onChange(this);
    }
}
